//! Tokens of a caller.

use super::{SidecarCredentialOptions, TokenSource, scope::SidecarScope};
use crate::{client::SidecarClient, inbound_token::InboundToken};
use azure_core::{
    Result,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
};
use std::sync::Arc;

/// A credential of a caller of your API, for any client of an Azure service: the sidecar exchanges the token that the
/// caller sent for one of the service, on their behalf.
///
/// It is made for one request of one caller and kept no longer; creating one is cheap. A token is accepted only if it is
/// for the scope that it was asked for, and for the same user as the caller's: an API that is configured for tokens of the
/// application would lend its rights to the caller.
///
/// # Errors
///
/// As those of [`SidecarCredential`](crate::SidecarCredential#errors).
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
    source: TokenSource,
}

impl SidecarOnBehalfOfCredential {
    /// Creates a credential. Nothing is sent.
    ///
    /// # Arguments
    ///
    /// * `client` - The client of the sidecar.
    /// * `caller` - The token that the caller sent.
    /// * `scopes` - The scopes that clients ask for, and the API of the sidecar's configuration that each is.
    /// * `options` - Options for the credential, with an agent.
    ///
    /// # Errors
    ///
    /// There is no scope, one is there twice, or one is empty.
    pub fn new(
        client: SidecarClient,
        caller: InboundToken,
        scopes: impl IntoIterator<Item = SidecarScope>,
        options: Option<SidecarCredentialOptions>,
    ) -> Result<Arc<Self>> {
        let agent = options.unwrap_or_default().agent;
        let source = TokenSource::new(client, scopes, agent, Some(caller))?;
        Ok(Arc::new(Self { source }))
    }
}

#[async_trait::async_trait]
impl TokenCredential for SidecarOnBehalfOfCredential {
    async fn get_token(&self, scopes: &[&str], options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        self.source.get_token(scopes, options).await
    }
}
