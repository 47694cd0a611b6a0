//! Tokens of the application, or of an agent.

use super::{TokenSource, scope::SidecarScope};
use crate::{agent::Agent, client::SidecarClient};
use azure_core::{
    Result,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    fmt::SafeDebug,
};
use std::sync::Arc;

/// Options for a [`SidecarCredential`] and a [`SidecarOnBehalfOfCredential`](crate::SidecarOnBehalfOfCredential).
#[derive(Clone, Default, SafeDebug)]
pub struct SidecarCredentialOptions {
    /// The agent whose tokens are acquired. The sidecar has to allow overrides on the route; a token that is not the
    /// agent's is refused.
    pub agent: Option<Agent>,
}

/// A credential of the application, or of an agent, for any client of an Azure service: the sidecar acquires the tokens,
/// and the application holds no secret.
///
/// A token is accepted only if it is for the scope that it was asked for, and for the agent: the sidecar answers what its
/// configuration says, whatever a request says. Tokens are kept until five minutes before they expire, as they say
/// themselves. However many ask for one, the sidecar is asked once.
///
/// # Errors
///
/// Errors are of kind `Credential`, and [`SidecarError::from_error`](crate::SidecarError::from_error) finds what led to
/// them.
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
/// // Give it to a client, which asks it for tokens:
/// let token = credential.get_token(&[scope], None).await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SidecarCredential {
    source: TokenSource,
}

impl SidecarCredential {
    /// Creates a credential. Nothing is sent.
    ///
    /// # Arguments
    ///
    /// * `client` - The client of the sidecar.
    /// * `scopes` - The scopes that clients ask for, and the API of the sidecar's configuration that each is. The APIs say
    ///   `RequestAppToken`.
    /// * `options` - Options for the credential, with an agent.
    ///
    /// # Errors
    ///
    /// There is no scope, one is there twice, or one is empty.
    pub fn new(
        client: SidecarClient,
        scopes: impl IntoIterator<Item = SidecarScope>,
        options: Option<SidecarCredentialOptions>,
    ) -> Result<Arc<Self>> {
        let agent = options.unwrap_or_default().agent;
        let source = TokenSource::new(client, scopes, agent, None)?;
        Ok(Arc::new(Self { source }))
    }
}

#[async_trait::async_trait]
impl TokenCredential for SidecarCredential {
    async fn get_token(&self, scopes: &[&str], options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        self.source.get_token(scopes, options).await
    }
}
