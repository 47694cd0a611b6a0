//! Tokens that come by the exchange of Entra tokens.

mod exchange;
mod options;
#[cfg(test)]
mod tests;

pub use options::EntraCommunicationTokenCredentialOptions;

use super::{
    CommunicationTokenCredential, Source,
    background::loggable,
    check,
    schedule::{self, Failures},
    shared_error::SharedError,
    single_flight::{SingleFlight, unpanicked},
};
use crate::{
    auth::{Clock, DistinctCredential, Plaintext, parse_endpoint},
    models::CommunicationAccessToken,
    runtime,
};
use azure_core::{
    Error, Result,
    async_runtime::SpawnedTask,
    credentials::{Secret, TokenCredential},
    error::ErrorKind,
    time::OffsetDateTime,
};
use exchange::Exchange;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

impl CommunicationTokenCredential {
    /// Creates a credential that exchanges the Entra tokens of a user for access tokens of Communication Services.
    ///
    /// This is for an application that a user has signed in to with Entra ID; it needs no backend that issues tokens. An
    /// administrator has to [admit the users and the application to the resource][entra] first. For Teams Phone
    /// extensibility, set its scope in the options.
    ///
    /// Each [`get_token`](Self::get_token) asks the Entra credential, which is expected to keep its token as those of
    /// `azure_identity` do. A token that is another one than before is exchanged at once. The same one is exchanged again, in
    /// the background, when what it was exchanged for has two minutes to live or, if it never had more, half of its life;
    /// until then, and while that fails, callers get what they got before. Callers that come while a token is asked for or
    /// exchanged share the outcome. Nothing is sent before the first call.
    ///
    /// [entra]: https://learn.microsoft.com/azure/communication-services/quickstarts/identity/entra-id-authentication-integration
    ///
    /// # Arguments
    ///
    /// * `endpoint` - The resource's address, `https://<resource>.communication.azure.com`.
    /// * `credential` - A credential of the user, not of a service or a machine.
    /// * `options` - The scopes, and options for the requests.
    ///
    /// # Errors
    ///
    /// The endpoint is not an https URL without path, query or user name; the scopes are empty or do not belong together;
    /// or an option is not valid.
    ///
    /// Later, [`get_token`](Self::get_token) fails with kind `Credential` when the Entra credential does or the token that
    /// comes back has already expired, and otherwise as the operations of
    /// [the client](crate::CommunicationIdentityClient#errors) do.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::CommunicationTokenCredential;
    /// use azure_core::credentials::TokenCredential;
    /// use std::sync::Arc;
    ///
    /// fn sign_in(user: Arc<dyn TokenCredential>) -> azure_core::Result<CommunicationTokenCredential> {
    ///     CommunicationTokenCredential::with_entra_credential("https://contoso.communication.azure.com", user, None)
    /// }
    /// ```
    pub fn with_entra_credential(
        endpoint: &str,
        credential: Arc<dyn TokenCredential>,
        options: Option<EntraCommunicationTokenCredentialOptions>,
    ) -> Result<Self> {
        let source = EntraSource::new(endpoint, credential, options.unwrap_or_default(), Clock::system())?;
        Ok(Self(Source::Entra(Arc::new(source))))
    }
}

/// An Entra credential, and the token that its token was last exchanged for.
pub(super) struct EntraSource {
    credential: DistinctCredential,
    scopes: Vec<String>,
    exchange: Arc<Exchange>,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    exchanged: Option<Exchanged>,
    answer: SingleFlight<CommunicationAccessToken>,
}

/// What an Entra token was exchanged for.
struct Exchanged {
    entra_token: Secret,
    token: CommunicationAccessToken,
    /// When the same Entra token is to be exchanged again.
    refresh_at: OffsetDateTime,
    /// The exchanges of it that have failed since.
    failures: Failures,
    /// An exchange in the background.
    refresh: Option<SpawnedTask>,
}

impl EntraSource {
    fn new(
        endpoint: &str,
        credential: Arc<dyn TokenCredential>,
        options: EntraCommunicationTokenCredentialOptions,
        clock: Clock,
    ) -> Result<Self> {
        let endpoint = parse_endpoint(endpoint, Plaintext::Never)?;
        Ok(Self {
            credential: DistinctCredential(credential),
            exchange: Arc::new(Exchange::new(&endpoint, &options, clock.clone())?),
            scopes: options.scopes,
            clock,
            state: Mutex::default(),
        })
    }

    pub(super) async fn token(self: &Arc<Self>) -> Result<CommunicationAccessToken> {
        let source = Arc::clone(self);
        let answer = self.state().answer.join(|| async move { source.ask().await });
        answer.land().await.map_err(SharedError::into_error)
    }

    async fn ask(self: &Arc<Self>) -> Result<CommunicationAccessToken> {
        let scopes: Vec<&str> = self.scopes.iter().map(String::as_str).collect();
        let entra_token = self.credential.get_token(&scopes, None).await?.token;
        if entra_token.secret().is_empty() {
            return Err(Error::with_message(
                ErrorKind::Credential,
                "the Entra credential gave an empty token",
            ));
        }
        if let Some(token) = self.exchanged_already(&entra_token) {
            return Ok(token);
        }
        let token = self.exchange.exchange(&entra_token).await?;
        self.keep(entra_token, token)
    }

    /// The valid token that this very Entra token was exchanged for. When it is time to exchange it again, that begins.
    fn exchanged_already(self: &Arc<Self>, entra_token: &Secret) -> Option<CommunicationAccessToken> {
        let now = self.clock.now();
        let mut state = self.state();
        let exchanged = state.exchanged.as_mut();
        let exchanged = exchanged.filter(|exchanged| exchanged.is_valid(entra_token, now))?;
        if now >= exchanged.refresh_at && exchanged.refresh.is_none() {
            // Where no task can be spawned, the token is exchanged when it has expired.
            exchanged.refresh = runtime::spawn(refresh(
                Arc::downgrade(self),
                Arc::clone(&self.exchange),
                entra_token.clone(),
            ))
            .ok();
        }
        Some(exchanged.token.clone())
    }

    /// Keeps what an Entra token was exchanged for.
    fn keep(&self, entra_token: Secret, token: CommunicationAccessToken) -> Result<CommunicationAccessToken> {
        let now = self.clock.now();
        let token = check::obtained(token, now, "the exchange of the Entra token")?;
        self.state().exchanged = Some(Exchanged {
            entra_token,
            refresh_at: schedule::refresh_at(token.expires_on, now, schedule::ON_DEMAND),
            token: token.clone(),
            failures: Failures::default(),
            refresh: None,
        });
        Ok(token)
    }

    /// Ends an exchange in the background, unless there has been another Entra token in the meantime.
    fn refreshed(&self, entra_token: Secret, outcome: Result<CommunicationAccessToken>) {
        let now = self.clock.now();
        let is_current = |exchanged: &Exchanged| exchanged.entra_token == entra_token;
        if !self.state().exchanged.as_ref().is_some_and(is_current) {
            return;
        }
        let Err(error) = outcome.and_then(|token| self.keep(entra_token, token)) else {
            return;
        };
        if let Some(exchanged) = &mut self.state().exchanged {
            exchanged.refresh_at = exchanged.failures.add(&error, now);
            exchanged.refresh = None;
        }
        tracing::warn!(
            error = loggable(&error),
            "an Entra token could not be exchanged again; the last access token is used while it is valid"
        );
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Exchanges an Entra token again, for a source that may be gone by then.
async fn refresh(source: Weak<EntraSource>, exchange: Arc<Exchange>, entra_token: Secret) {
    let outcome = unpanicked(exchange.exchange(&entra_token)).await;
    if let Some(source) = source.upgrade() {
        source.refreshed(entra_token, outcome);
    }
}

impl Exchanged {
    fn is_valid(&self, entra_token: &Secret, now: OffsetDateTime) -> bool {
        self.entra_token == *entra_token && self.token.expires_on > now
    }
}
