//! Credentials for the clients of Azure services, whose tokens the sidecar acquires.

mod app;
mod cache;
mod check;
mod on_behalf_of;
mod scope;

pub use app::{SidecarCredential, SidecarCredentialOptions};
pub use on_behalf_of::SidecarOnBehalfOfCredential;
pub use scope::SidecarScope;

use crate::{
    agent::Agent, client::SidecarClient, error::SidecarError, inbound_token::InboundToken,
    models::SidecarClientAuthorizationHeaderOptions,
};
use azure_core::{
    Error, Result,
    credentials::{AccessToken, TokenRequestOptions},
    error::ErrorKind,
};
use cache::TokenCache;
use scope::ScopeMap;

/// What the two credentials have in common.
#[derive(Debug)]
struct TokenSource {
    client: SidecarClient,
    scopes: ScopeMap,
    agent: Option<Agent>,
    caller: Option<InboundToken>,
    cache: TokenCache,
}

impl TokenSource {
    fn new(
        client: SidecarClient,
        scopes: impl IntoIterator<Item = SidecarScope>,
        agent: Option<Agent>,
        caller: Option<InboundToken>,
    ) -> Result<Self> {
        let scopes = ScopeMap::new(scopes)?;
        Ok(Self {
            client,
            cache: TokenCache::new(scopes.len()),
            scopes,
            agent,
            caller,
        })
    }

    async fn get_token(&self, scopes: &[&str], options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        let (index, scope) = self.scopes.find(scopes)?;
        self.cache
            .get(index, || async {
                self.acquire(scope, options.unwrap_or_default())
                    .await
                    .map_err(as_credential_error)
            })
            .await
    }

    /// Gets a token from the sidecar, and makes sure that it is the one that was asked for.
    async fn acquire(&self, scope: &SidecarScope, options: TokenRequestOptions<'_>) -> Result<AccessToken> {
        let options = SidecarClientAuthorizationHeaderOptions {
            agent: self.agent.clone(),
            method_options: options.method_options,
            ..Default::default()
        };
        let header = match &self.caller {
            Some(caller) => {
                self.client
                    .authorization_header(&scope.api_name, caller, Some(options))
                    .await?
            }
            None => {
                self.client
                    .authorization_header_as_app(&scope.api_name, Some(options))
                    .await?
            }
        };
        check::access_token(&header, scope, self.agent.as_ref(), self.caller.as_ref())
    }
}

/// Makes an error of kind `Credential` of any: the client that asked for the token must not take it for one of its own
/// service or connection.
fn as_credential_error(error: Error) -> Error {
    if *error.kind() == ErrorKind::Credential {
        return error;
    }
    let text = SidecarError::from_error(&error).map_or_else(|| error.to_string(), ToString::to_string);
    Error::with_error(ErrorKind::Credential, error, text)
}
