//! Credentials for the clients of Azure services, whose tokens the sidecar acquires.

mod cache;
mod check;
mod scope;

pub use scope::SidecarScope;

use crate::{
    client::SidecarClient,
    error::SidecarError,
    models::{Agent, InboundToken, SidecarClientAuthorizationHeaderOptions},
};
use azure_core::{
    Error, Result,
    credentials::{AccessToken, TokenCredential, TokenRequestOptions},
    error::ErrorKind,
    fmt::SafeDebug,
    http::ClientMethodOptions,
};
use cache::TokenCache;
use client_core::{clock::Clock, single_flight::catch_panic};
use scope::check_scopes;
use std::{borrow::Cow, sync::Arc};

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
/// # Errors
///
/// Errors are of kind `Credential`. [`SidecarError::from_error`] finds their cause.
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
    source: TokenSource,
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
    source: TokenSource,
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

/// The tokens of a credential.
#[derive(Debug)]
struct TokenSource {
    acquirer: Arc<Acquirer>,
    scopes: Vec<(SidecarScope, TokenCache)>,
}

impl TokenSource {
    fn new(
        client: SidecarClient,
        scopes: impl IntoIterator<Item = SidecarScope>,
        agent: Option<Agent>,
        caller: Option<InboundToken>,
    ) -> Result<Self> {
        let scopes: Vec<SidecarScope> = scopes.into_iter().collect();
        check_scopes(&scopes)?;
        let clock = Clock::system();
        let scopes = scopes
            .into_iter()
            .map(|scope| (scope, TokenCache::new(clock.clone())))
            .collect();
        Ok(Self {
            acquirer: Arc::new(Acquirer {
                client,
                agent,
                caller,
                clock,
            }),
            scopes,
        })
    }

    async fn get_token(&self, scopes: &[&str], options: Option<TokenRequestOptions<'_>>) -> Result<AccessToken> {
        let (scope, cache) = self.find(scopes)?;
        let acquire = || {
            let (acquirer, scope) = (self.acquirer.clone(), scope.clone());
            let context = options.unwrap_or_default().method_options.context.into_owned();
            async move {
                let token = acquirer.acquire(&scope, ClientMethodOptions { context });
                catch_panic(token).await.map_err(into_credential_error)
            }
        };
        cache.get(acquire).await
    }

    /// Finds the one requested scope.
    fn find(&self, scopes: &[&str]) -> Result<&(SidecarScope, TokenCache)> {
        let [requested] = scopes else {
            return Err(refused(
                "a token can be asked for with one scope only, such as https://vault.azure.net/.default",
            ));
        };
        let found = self.scopes.iter().find(|(scope, _)| scope.scope == *requested);
        found.ok_or_else(|| {
            refused(format!(
                "the credential does not know the scope {}; name the API of the sidecar's configuration that has it with \
                 SidecarScope::new",
                one_line(requested)
            ))
        })
    }
}

/// Acquires tokens from the sidecar.
#[derive(Debug)]
struct Acquirer {
    client: SidecarClient,
    agent: Option<Agent>,
    caller: Option<InboundToken>,
    clock: Clock,
}

impl Acquirer {
    /// Acquires a token for a scope, and checks that it is for the scope, the agent and the caller.
    async fn acquire(&self, scope: &SidecarScope, method_options: ClientMethodOptions<'_>) -> Result<AccessToken> {
        let options = Some(SidecarClientAuthorizationHeaderOptions {
            agent: self.agent.clone(),
            method_options,
            ..Default::default()
        });
        let api_name = &scope.api_name;
        let header = match &self.caller {
            Some(caller) => self.client.authorization_header(api_name, caller, options).await?,
            None => self.client.authorization_header_as_app(api_name, options).await?,
        };
        let now = self.clock.now();
        check::access_token(&header, scope, self.agent.as_ref(), self.caller.as_ref(), now)
    }
}

/// Gives an error the kind `Credential`. The client that requested the token would take other kinds for failures of its own
/// service or connection.
fn into_credential_error(error: Error) -> Error {
    if *error.kind() == ErrorKind::Credential {
        return error;
    }
    let text = SidecarError::from_error(&error).map_or_else(|| error.to_string(), ToString::to_string);
    Error::with_error(ErrorKind::Credential, error, text)
}

/// Returns a text from outside on one line of a bounded length.
fn one_line(text: &str) -> String {
    text.chars().take(200).filter(|c| !c.is_control()).collect()
}

/// Creates the error of a refused request for a token.
fn refused(text: impl Into<Cow<'static, str>>) -> Error {
    Error::with_message(ErrorKind::Credential, text)
}
