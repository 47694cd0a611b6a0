//! Credentials for the clients of Azure services, whose tokens the sidecar acquires.

mod cache;
mod check;
mod scope;
mod source;

pub use scope::SidecarScope;

use crate::{
    client::SidecarClient,
    models::{Agent, InboundToken},
};
use azure_core::{
    Result,
    credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions},
    fmt::SafeDebug,
    http::policies::Policy,
};
use source::{RefreshAfter401, TokenSource};
use std::sync::Arc;

/// Options for a [`SidecarCredential`] and a [`SidecarOnBehalfOfCredential`].
#[derive(Clone, Default, SafeDebug)]
pub struct SidecarCredentialOptions {
    /// The agent of the tokens. The sidecar must allow overrides on the route; a token that is not the agent's is refused.
    pub agent: Option<Agent>,
}

/// A credential of the application, or of an agent, for any client of an Azure service. The sidecar acquires the tokens, and
/// the application holds no secret.
///
/// A token is accepted only if it is for the requested scope and for the agent: the sidecar follows its configuration, not the
/// request. Its expiry is read from its claims.
///
/// # Caching
///
/// Each scope has one cached token. It is returned until five minutes before its expiry. Then the next caller refreshes it,
/// while the others get the old token. If a refresh fails, the old token is returned for 30 seconds before the next attempt,
/// while it is valid. Without a valid token, concurrent callers on one async runtime share a request and its failure.
///
/// The sidecar has a cache, too. A token that a service refuses stays in both until it expires, unless the client of the service
/// has the policy of [`refresh_after_401`](Self::refresh_after_401), or the token is [invalidated](Self::invalidate). The next one
/// is then acquired with `ForceRefresh`.
///
/// # Errors
///
/// Errors are of kind `Credential`. [`SidecarError::from_error`](crate::SidecarError::from_error) finds their cause.
///
/// # Examples
///
/// ```
/// use azure_core::credentials::TokenCredential as _;
/// use entra_sidecar::{SidecarCredential, SidecarScope};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// # let (sidecar, client, caller) = start().await?;
/// let scope = "https://communication.azure.com//.default";
/// let credential = SidecarCredential::new(client, [SidecarScope::new(scope, "Acs")], None)?;
/// // A client of a service calls this:
/// let token = credential.get_token(&[scope], None).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SidecarCredential {
    source: Arc<TokenSource>,
}

impl SidecarCredential {
    /// Creates a credential. Nothing is sent.
    ///
    /// # Arguments
    ///
    /// * `client` - The client of the sidecar.
    /// * `scopes` - The scopes that clients request, each with the name of its API in the sidecar's configuration. The APIs
    ///   have `RequestAppToken`.
    /// * `options` - Options for the credential, with an agent.
    ///
    /// # Errors
    ///
    /// `scopes` is empty, one of them is empty, or two are the same.
    pub fn new(
        client: SidecarClient,
        scopes: impl IntoIterator<Item = SidecarScope>,
        options: Option<SidecarCredentialOptions>,
    ) -> Result<Arc<Self>> {
        let agent = options.unwrap_or_default().agent;
        let source = Arc::new(TokenSource::new(client, scopes, agent, None)?);
        Ok(Arc::new(Self { source }))
    }

    /// Returns a policy that acquires a new token after a service has refused one with a 401: the next request of the client has
    /// it. The refused request is not sent again.
    ///
    /// Add it to the `per_try_policies` of the client of the service. A new token is forced at most every 30 seconds, because a 401
    /// can have other reasons: Azure Communication Services responds with one to the ID of a user of another resource.
    ///
    /// A sidecar ignores `ForceRefresh` where its configuration does not allow overrides, and returns its cached token: allow
    /// them by `Sidecar:AllowOverrides:GetAuthorizationHeaderUnauthenticated`. A warning is logged if it returns the refused
    /// token.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
    /// use entra_sidecar::{SidecarClient, SidecarCredential, SidecarScope};
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// let scope = SidecarScope::new("https://communication.azure.com//.default", "Acs");
    /// let credential = SidecarCredential::new(SidecarClient::from_env(None)?, [scope], None)?;
    /// let mut options = CommunicationIdentityClientOptions::default();
    /// options.client_options.per_try_policies.push(credential.refresh_after_401());
    /// let client = CommunicationIdentityClient::new(
    ///     "https://contoso.communication.azure.com",
    ///     credential,
    ///     Some(options),
    /// )?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn refresh_after_401(&self) -> Arc<dyn Policy> {
        Arc::new(RefreshAfter401(self.source.clone()))
    }

    /// Drops a token that a service refused, if it is still the cached one. The next one is acquired as
    /// [`refresh_after_401`](Self::refresh_after_401) describes.
    ///
    /// # Arguments
    ///
    /// * `token` - The token.
    pub fn invalidate(&self, token: &Secret) {
        self.source.invalidate(token);
    }
}

#[async_trait::async_trait]
impl TokenCredential for SidecarCredential {
    async fn get_token(&self, scopes: &[&str], options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        self.source.get_token(scopes, options).await
    }
}

/// A credential of a caller of your API, for any client of an Azure service. The sidecar exchanges the caller's token for one
/// of the service, on their behalf.
///
/// Create one for each request of a caller, and drop it afterwards: it is cheap. A token is accepted only if it is for the
/// requested scope and for the caller: an API that is configured with `RequestAppToken` would lend the application's rights to
/// the caller.
///
/// Caching and errors are those of [`SidecarCredential`].
///
/// # Examples
///
/// ```
/// use azure_core::credentials::TokenCredential as _;
/// use entra_sidecar::{SidecarOnBehalfOfCredential, SidecarScope};
///
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// # let (sidecar, client, caller) = start().await?;
/// let scope = "https://storage.azure.com/.default";
/// let credential = SidecarOnBehalfOfCredential::new(client, caller, [SidecarScope::new(scope, "Storage")], None)?;
/// let token = credential.get_token(&[scope], None).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SidecarOnBehalfOfCredential {
    source: Arc<TokenSource>,
}

impl SidecarOnBehalfOfCredential {
    /// Creates a credential. Nothing is sent.
    ///
    /// # Arguments
    ///
    /// * `client` - The client of the sidecar.
    /// * `caller` - The token that the caller sent.
    /// * `scopes` - The scopes that clients request, each with the name of its API in the sidecar's configuration.
    /// * `options` - Options for the credential, with an agent.
    ///
    /// # Errors
    ///
    /// `scopes` is empty, one of them is empty, or two are the same.
    pub fn new(
        client: SidecarClient,
        caller: InboundToken,
        scopes: impl IntoIterator<Item = SidecarScope>,
        options: Option<SidecarCredentialOptions>,
    ) -> Result<Arc<Self>> {
        let agent = options.unwrap_or_default().agent;
        let source = Arc::new(TokenSource::new(client, scopes, agent, Some(caller))?);
        Ok(Arc::new(Self { source }))
    }

    /// Returns a policy that acquires a new token after a service has refused one; see
    /// [`SidecarCredential::refresh_after_401`]. By default, the sidecar allows overrides in the name of a caller.
    #[must_use]
    pub fn refresh_after_401(&self) -> Arc<dyn Policy> {
        Arc::new(RefreshAfter401(self.source.clone()))
    }

    /// Drops a token that a service refused; see [`SidecarCredential::invalidate`].
    ///
    /// # Arguments
    ///
    /// * `token` - The token.
    pub fn invalidate(&self, token: &Secret) {
        self.source.invalidate(token);
    }
}

#[async_trait::async_trait]
impl TokenCredential for SidecarOnBehalfOfCredential {
    async fn get_token(&self, scopes: &[&str], options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        self.source.get_token(scopes, options).await
    }
}
