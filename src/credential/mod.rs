//! The credential of a chat or calling client: the access token of a user, refreshed in time.

mod cache;
mod entra;
mod options;
mod schedule;
#[cfg(test)]
mod tests;

pub use options::{CommunicationTokenCredentialOptions, EntraCommunicationTokenCredentialOptions};

use crate::{
    client::CommunicationIdentityClient,
    error::invalid_argument,
    identifiers::CommunicationUserIdentifier,
    models::{
        CommunicationAccessToken, CommunicationIdentityClientGetTokenOptions, CommunicationTokenScope,
        lifetime_in_minutes, require_scopes,
    },
};
use azure_core::{
    Result,
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
};
use cache::{Cache, check_initial};
use client_core::clock::Clock;
use entra::EntraSource;
use futures::FutureExt as _;
use schedule::{Jitter, random_jitter};
use std::{fmt, sync::Arc};

/// A credential of a user for a chat or calling client. It caches the user's access token, and refreshes it.
///
/// Create one credential per user and keep it: it is cheap to clone, and its clones share the token. `Debug` shows neither
/// the token nor its source.
///
/// # Refreshing
///
/// These rules hold for a credential with a refresher, [your own](Self::with_refresher) or
/// [a client of the service](Self::for_user):
///
/// * While the token is valid, [`get_token`](Self::get_token) returns it at once. In the token's last two minutes, it also
///   starts a refresh in the background.
/// * Without a valid token, callers wait for a refresh. Callers on one async runtime share it, with its token or failure. The
///   next caller after a failure tries again, unless the service asked for a wait by `Retry-After`: then callers get the
///   failure until that time, an hour at most, and nothing is sent.
/// * With [`refresh_proactively`](CommunicationTokenCredentialOptions::refresh_proactively), a task refreshes the token
///   ten minutes before it expires; without an initial token it gets the first one at once.
/// * A token that the refresher returns within these last two or ten minutes is refreshed after half of its remaining
///   lifetime, and after a second at least: a source that returns the same token until it expires is not asked in a loop.
/// * A refresh comes earlier by a random part of up to 3 % of the token's life, so that credentials which were created
///   together do not refresh together.
/// * A failed refresh in the background is retried after 1, 2, 4 … seconds, at most a minute and a random part of up to
///   20 %, and not before the service's `Retry-After`, an hour at most. The task that refreshes ahead retries it, also after
///   the token has expired; without the task, the next caller does. A refresh that takes longer than three minutes counts as
///   failed. Each failure is logged as a warning.
/// * A caller's future can be dropped at any point. A refresh is cancelled with its last caller, and the next caller starts
///   anew: callers whose own timeout is shorter than the refresher takes never get a token, unless the task refreshes ahead.
///   When the last clone of the credential is dropped, the task ends and the refresher is dropped.
///
/// A caller waits as long as the refresher takes: bound its requests, or put `tokio::time::timeout` around
/// [`get_token`](Self::get_token). A refresher must not ask its own credential: it would wait for itself.
///
/// The times are those of the [official clients][practices].
///
/// [practices]: https://learn.microsoft.com/azure/communication-services/concepts/credentials-best-practices
///
/// # Async runtimes
///
/// Work in the background runs on the runtime of `azure_core`. With this crate's feature `tokio`, that is the tokio
/// runtime that is current where the work starts; one set by `azure_core::async_runtime::set_async_runtime` is used
/// where a tokio runtime is current too, or without the feature. Without the feature and without a runtime of your own it is
/// a thread per task. Where there is no runtime, [`get_token`](Self::get_token) works without tasks in the background.
/// Leave the feature on if another crate turns on `azure_core`'s: `azure_core` would panic outside a tokio runtime.
///
/// # As a `TokenCredential`
///
/// Clients of the data plane, such as chat and calling, take it as a [`TokenCredential`]. It ignores the scopes of the
/// request: its token has those that it was issued with. It is not a credential of a principal, so never pass it to
/// [`CommunicationIdentityClient::new`].
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// # let (emulator, client) = start().await?;
/// # let user = client.create_user(None).await?.into_model()?;
/// use azure_communication_identity::{CommunicationTokenCredential, CommunicationTokenScope};
///
/// let credential = CommunicationTokenCredential::for_user(client, user, &[CommunicationTokenScope::Chat], None)?;
///
/// // As often as a token is needed:
/// let token = credential.get_token().await?;
/// println!("valid until {}", token.expires_on);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct CommunicationTokenCredential(Source);

#[derive(Clone)]
enum Source {
    Static(CommunicationAccessToken),
    Refreshed(Arc<Cache>),
    Entra(Arc<EntraSource>),
}

impl CommunicationTokenCredential {
    /// Creates a credential that always returns one token. The expiry is read from the token.
    ///
    /// The token is returned even after it has expired: the service decides whether to accept it.
    ///
    /// # Arguments
    ///
    /// * `token` - The token, a JSON Web Token with the claim `exp`. For others there is
    ///   [`from_access_token`](Self::from_access_token).
    ///
    /// # Errors
    ///
    /// The token is not a JSON Web Token, or has no `exp`. The error does not show it.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::CommunicationTokenCredential;
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// # let received = "eyJhbGciOiJub25lIn0.eyJleHAiOjIwNTEyMjI0MDB9.c2ln";
    /// let credential = CommunicationTokenCredential::new(received)?;
    /// # Ok(()) }
    /// ```
    pub fn new(token: impl Into<Secret>) -> Result<Self> {
        CommunicationAccessToken::from_jwt(token).map(|token| Self(Source::Static(token)))
    }

    /// Creates a credential that always returns one token.
    ///
    /// The token is returned even after it has expired: the service decides whether to accept it.
    ///
    /// # Arguments
    ///
    /// * `token` - The token.
    ///
    /// # Errors
    ///
    /// The token is empty.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::{CommunicationAccessToken, CommunicationTokenCredential};
    /// use azure_core::time::{Duration, OffsetDateTime};
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// let in_an_hour = OffsetDateTime::now_utc() + Duration::HOUR;
    /// let token = CommunicationAccessToken::new("a token", in_an_hour);
    /// let credential = CommunicationTokenCredential::from_access_token(token)?;
    /// # Ok(()) }
    /// ```
    pub fn from_access_token(token: CommunicationAccessToken) -> Result<Self> {
        check_initial(&token)?;
        Ok(Self(Source::Static(token)))
    }

    /// Creates a credential that gets its tokens from your function, such as one that asks your backend.
    ///
    /// [Refreshing](Self#refreshing) has the rules.
    ///
    /// # Arguments
    ///
    /// * `refresher` - Returns a new token of the same user. [`CommunicationAccessToken::from_jwt`] helps a source that
    ///   knows no more than the token.
    /// * `options` - The first token, and proactive refreshing.
    ///
    /// # Errors
    ///
    /// The initial token is empty; `token_expires_in` is set, which is for [`for_user`](Self::for_user); or
    /// `refresh_proactively` is set and there is no async runtime here.
    ///
    /// Later, [`get_token`](Self::get_token) fails as the refresher does. A token that is empty, or has already expired,
    /// is a failure of kind `Credential`.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::{
    ///     CommunicationAccessToken, CommunicationTokenCredential, CommunicationTokenCredentialOptions,
    /// };
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> azure_core::Result<()> {
    /// # async fn ask_my_backend() -> azure_core::Result<String> {
    /// #     Ok("eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln".to_owned())
    /// # }
    /// let options = CommunicationTokenCredentialOptions {
    ///     refresh_proactively: true,
    ///     ..Default::default()
    /// };
    /// let credential = CommunicationTokenCredential::with_refresher(
    ///     || async { CommunicationAccessToken::from_jwt(ask_my_backend().await?) },
    ///     Some(options),
    /// )?;
    /// let token = credential.get_token().await?;
    /// # Ok(()) }
    /// ```
    pub fn with_refresher<F, Fut>(refresher: F, options: Option<CommunicationTokenCredentialOptions>) -> Result<Self>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<CommunicationAccessToken>> + Send + 'static,
    {
        if options
            .as_ref()
            .is_some_and(|options| options.token_expires_in.is_some())
        {
            return Err(invalid_argument(
                "token_expires_in is for the tokens of for_user; have the refresher return tokens with the lifetime you want",
            ));
        }
        Self::build(refresher, options, Clock::system(), random_jitter)
    }

    /// Creates a credential that gets a user's tokens from the service.
    ///
    /// This is for a backend that chats or calls on behalf of a user. The user's own device must not hold a client
    /// with an access key: it asks the backend, by [`with_refresher`](Self::with_refresher).
    ///
    /// # Arguments
    ///
    /// * `client` - A client of the resource that the user belongs to.
    /// * `user` - The user.
    /// * `scopes` - The permissions of the tokens; at least one.
    /// * `options` - The first token, the lifetime of the tokens, and proactive refreshing.
    ///
    /// # Errors
    ///
    /// `scopes` is empty; the lifetime is not a whole number of minutes from 60 to 1440; the initial token is empty; or
    /// `refresh_proactively` is set and there is no async runtime here.
    ///
    /// Later, [`get_token`](Self::get_token) fails as [`CommunicationIdentityClient::get_token`] does.
    ///
    /// # Examples
    ///
    /// See [the credential](Self#examples).
    pub fn for_user(
        client: CommunicationIdentityClient,
        user: CommunicationUserIdentifier,
        scopes: &[CommunicationTokenScope],
        options: Option<CommunicationTokenCredentialOptions>,
    ) -> Result<Self> {
        require_scopes(scopes)?;
        let token_expires_in = options.as_ref().and_then(|options| options.token_expires_in);
        lifetime_in_minutes(token_expires_in)?;
        // Tokens expire by the service's clock, as far as the client knows it.
        let clock = client.clock().clone();
        let request = Arc::new((client, user, scopes.to_vec()));
        let refresher = move || {
            let request = request.clone();
            async move {
                let (client, user, scopes) = &*request;
                let options = CommunicationIdentityClientGetTokenOptions {
                    token_expires_in,
                    ..Default::default()
                };
                client.get_token(user, scopes, Some(options)).await?.into_model()
            }
        };
        Self::build(refresher, options, clock, random_jitter)
    }

    fn build<F, Fut>(
        refresher: F,
        options: Option<CommunicationTokenCredentialOptions>,
        clock: Clock,
        jitter: Jitter,
    ) -> Result<Self>
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<CommunicationAccessToken>> + Send + 'static,
    {
        let options = options.unwrap_or_default();
        options.initial_token.as_ref().map_or(Ok(()), check_initial)?;
        let refresher = Arc::new(move || refresher().boxed());
        let cache = Cache::new(
            refresher,
            options.initial_token,
            options.refresh_proactively,
            clock,
            jitter,
        );
        if options.refresh_proactively {
            cache.start()?;
        }
        Ok(Self(Source::Refreshed(cache)))
    }

    /// Returns the cached token if it is valid, or waits for a refresh.
    ///
    /// [Refreshing](Self#refreshing) has the rules, and [`with_entra_credential`](Self::with_entra_credential) those of an
    /// exchanged token. A static credential returns its one token.
    ///
    /// # Errors
    ///
    /// There is no valid token and the refresh failed. The error has the kind and the text of the refresher's, which is its
    /// source, so that [`CommunicationError::from_error`](crate::CommunicationError::from_error) finds the service's failure.
    ///
    /// # Examples
    ///
    /// See [the credential](Self#examples).
    pub async fn get_token(&self) -> Result<CommunicationAccessToken> {
        match &self.0 {
            Source::Static(token) => Ok(token.clone()),
            Source::Refreshed(cache) => cache.token().await,
            Source::Entra(source) => source.token().await,
        }
    }
}

#[async_trait::async_trait]
impl TokenCredential for CommunicationTokenCredential {
    /// Returns a token as [`CommunicationTokenCredential::get_token`] does. Scopes and options are ignored.
    async fn get_token(&self, _scopes: &[&str], _options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        self.get_token().await.map(Into::into)
    }
}

impl fmt::Debug for CommunicationTokenCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CommunicationTokenCredential")
    }
}
