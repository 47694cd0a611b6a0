//! The tokens of a credential: acquired from the sidecar, checked, cached, and invalidated.

use super::{
    cache::TokenCache,
    check,
    scope::{SidecarScope, check_scopes},
};
use crate::{
    client::SidecarClient,
    error::SidecarError,
    models::{Agent, InboundToken, SidecarClientAuthorizationHeaderOptions, TokenOverrides},
};
use azure_core::{
    Error, Result,
    credentials::{AccessToken, Secret, TokenRequestOptions},
    error::ErrorKind,
    http::{
        ClientMethodOptions, Context, Request, StatusCode,
        headers::AUTHORIZATION,
        policies::{Policy, PolicyResult},
    },
};
use client_core::{clock::Clock, single_flight::catch_panic};
use std::{borrow::Cow, sync::Arc};

/// The tokens of a credential.
#[derive(Debug)]
pub(super) struct TokenSource {
    acquirer: Arc<Acquirer>,
    scopes: Vec<(SidecarScope, TokenCache)>,
}

impl TokenSource {
    pub(super) fn new(
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

    pub(super) async fn get_token(
        &self,
        scopes: &[&str],
        options: Option<TokenRequestOptions<'_>>,
    ) -> Result<AccessToken> {
        let (scope, cache) = self.find(scopes)?;
        let acquire = |is_forced| {
            let (acquirer, scope) = (self.acquirer.clone(), scope.clone());
            let context = options.unwrap_or_default().method_options.context.into_owned();
            async move {
                let token = acquirer.acquire(&scope, is_forced, ClientMethodOptions { context });
                catch_panic(token).await.map_err(into_credential_error)
            }
        };
        cache.get(acquire).await
    }

    pub(super) fn invalidate(&self, token: &Secret) {
        for (_, cache) in &self.scopes {
            cache.invalidate(token);
        }
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

/// Invalidates the token of each attempt that gets a 401. It runs after the policy that sets the token.
#[derive(Debug)]
pub(super) struct RefreshAfter401(pub(super) Arc<TokenSource>);

#[async_trait::async_trait]
impl Policy for RefreshAfter401 {
    async fn send(&self, context: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let Some((policy, next)) = next.split_first() else {
            return Err(Error::with_message(
                ErrorKind::Other,
                "no policy follows that of refresh_after_401; add it to per_try_policies",
            ));
        };
        let response = policy.send(context, request, next).await?;
        if response.status() == StatusCode::Unauthorized {
            let header = request.headers().get_optional_str(&AUTHORIZATION);
            if let Some(token) = header.and_then(|header| header.strip_prefix("Bearer ")) {
                self.0.invalidate(&Secret::new(token.to_owned()));
            }
        }
        Ok(response)
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
    async fn acquire(
        &self,
        scope: &SidecarScope,
        force_refresh: bool,
        method_options: ClientMethodOptions<'_>,
    ) -> Result<AccessToken> {
        let options = Some(SidecarClientAuthorizationHeaderOptions {
            agent: self.agent.clone(),
            overrides: TokenOverrides {
                force_refresh,
                ..Default::default()
            },
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
