//! The guard.

use crate::{
    bearer::{BearerToken, LONGEST_TOKEN},
    builder::TokenGuardBuilder,
    caller::Caller,
    clock::Clock,
    error::{Denial, GuardError, TokenFault},
    keys::KeyStore,
    providers::{
        entra::EntraApi,
        logto::{self, LogtoPermissions},
    },
    token::{audience::AudienceRule, jws::Jws, rules::Rules},
};
use http::HeaderMap;
use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
};

/// Decides who is calling, by the bearer token of a request.
///
/// A guard is cheap to clone; clones share the issuer's keys, also those that
/// [require more](Self::requiring_scopes). Keep one for each issuer and audience. It runs on tokio, with
/// I/O and time enabled.
///
/// # Examples
///
/// ```
/// use http::{HeaderMap, header::AUTHORIZATION};
/// use token_guard::{TokenGuard, testing::TestIssuer};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issuer = TestIssuer::start().await?;
/// let guard = TokenGuard::builder(issuer.url(), ["https://api.contoso.com"]).build()?;
///
/// let token = issuer.token(serde_json::json!({"sub": "alice", "aud": "https://api.contoso.com"}))?;
/// let mut headers = HeaderMap::new();
/// headers.insert(AUTHORIZATION, format!("Bearer {token}").try_into()?);
/// let caller = guard.authenticate(&headers).await?;
/// assert_eq!(caller.subject(), "alice");
///
/// let refused = guard.authenticate(&HeaderMap::new()).await.unwrap_err();
/// assert_eq!(refused.code(), "auth.authorization_header_missing");
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenGuard {
    shared: Arc<Shared>,
    requirements: Arc<Requirements>,
}

struct Shared {
    keys: Arc<KeyStore>,
    rules: Rules,
    clock: Clock,
}

/// What a valid token has to allow.
#[derive(Clone, Debug, Default)]
struct Requirements {
    scopes: Vec<String>,
    roles: Vec<String>,
    /// All of these, so two are too many for any token.
    organization_ids: Vec<String>,
    application: bool,
}

impl TokenGuard {
    /// Starts to set up a guard for access tokens of any OpenID Connect issuer that follows
    /// [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068).
    ///
    /// `issuer` is compared with the `iss` of a token as it is, to its last slash; its keys are found by
    /// `/.well-known/openid-configuration` behind it. A token has to be for one of the `audiences`.
    pub fn builder<A: Into<String>>(issuer: &str, audiences: impl IntoIterator<Item = A>) -> TokenGuardBuilder {
        let audiences = audiences.into_iter().map(Into::into).collect();
        TokenGuardBuilder::new(issuer.to_owned(), AudienceRule::Any(audiences))
    }

    /// Starts to set up a guard for the tokens of Logto. `endpoint` is that of the tenant, such as
    /// `https://contoso.logto.app`, without `/oidc`.
    ///
    /// With [`LogtoPermissions::Organization`] and [`LogtoPermissions::OrganizationApi`], a token for *any* organisation of
    /// the tenant is accepted: ask for the right one by [`requiring_organization`](Self::requiring_organization) or, in a
    /// handler, by [`Caller::require_organization`].
    ///
    /// # Examples
    ///
    /// ```
    /// use token_guard::{LogtoPermissions, TokenGuard};
    ///
    /// let resource = "https://api.contoso.com".to_owned();
    /// let guard = TokenGuard::logto("https://contoso.logto.app", LogtoPermissions::GlobalApi { resource }).build()?;
    /// let readers = guard.requiring_scopes(["read:messages"]);
    /// # Ok::<(), token_guard::ConfigurationError>(())
    /// ```
    pub fn logto(endpoint: &str, permissions: LogtoPermissions) -> TokenGuardBuilder {
        logto::builder(endpoint, permissions)
    }

    /// Starts to set up a guard for the tokens of Microsoft Entra ID.
    pub fn entra(api: EntraApi) -> TokenGuardBuilder {
        TokenGuardBuilder::entra(api)
    }

    pub(crate) fn new(keys: Arc<KeyStore>, rules: Rules, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared { keys, rules, clock }),
            requirements: Arc::default(),
        }
    }

    /// The same guard, which also asks for all of these scopes. A token without one of them gets a 403.
    #[must_use]
    pub fn requiring_scopes<S: Into<String>>(&self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.requiring(|requirements| requirements.scopes.extend(scopes.into_iter().map(Into::into)))
    }

    /// The same guard, which also asks for all of these roles. A token without one of them gets a 403.
    ///
    /// Users have roles too: add [`requiring_application`](Self::requiring_application) for an API of daemons.
    #[must_use]
    pub fn requiring_roles<S: Into<String>>(&self, roles: impl IntoIterator<Item = S>) -> Self {
        self.requiring(|requirements| requirements.roles.extend(roles.into_iter().map(Into::into)))
    }

    /// The same guard, which also asks for an application that acts for no user, as
    /// [`Caller::is_application`] tells. A user's token gets a 403.
    #[must_use]
    pub fn requiring_application(&self) -> Self {
        self.requiring(|requirements| requirements.application = true)
    }

    /// The same guard, which also asks for this organisation. A token for another one, or for none, gets a 403; of a guard
    /// that asks for two, every token does.
    #[must_use]
    pub fn requiring_organization(&self, organization_id: &str) -> Self {
        self.requiring(|requirements| requirements.organization_ids.push(organization_id.to_owned()))
    }

    fn requiring(&self, change: impl FnOnce(&mut Requirements)) -> Self {
        let mut guard = self.clone();
        change(Arc::make_mut(&mut guard.requirements));
        guard
    }

    /// Takes the token out of the `Authorization` header of a request, checks it, and says who is calling.
    ///
    /// # Errors
    ///
    /// Any [`GuardError`], which is also the response.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, GuardError> {
        self.authenticate_token(BearerToken::from_headers(headers)?).await
    }

    /// Checks a token that came in another way than by a header, such as with a web socket, and says who is calling.
    ///
    /// # Errors
    ///
    /// [`GuardError::InvalidToken`], [`GuardError::Forbidden`] or [`GuardError::KeysUnavailable`].
    pub async fn verify(&self, token: &str) -> Result<Caller, GuardError> {
        if token.len() > LONGEST_TOKEN {
            return Err(TokenFault::NotAJwt.into());
        }
        self.authenticate_token(BearerToken::new(token)).await
    }

    pub(crate) async fn authenticate_token(&self, token: BearerToken) -> Result<Caller, GuardError> {
        let caller = self.check(token).await;
        match &caller {
            Ok(caller) => tracing::debug!(subject = caller.subject(), "a token was accepted"),
            Err(error) => tracing::debug!(code = error.code(), reason = %error, "a token was refused"),
        }
        caller
    }

    async fn check(&self, token: BearerToken) -> Result<Caller, GuardError> {
        let Shared { keys, rules, clock } = &*self.shared;
        let (key, claims) = {
            let jws = Jws::parse(token.secret())?;
            rules.check_header(&jws.header)?;
            let claims = jws.claims()?;
            rules.check_issuer(&claims)?;
            let algorithm = jws.header.algorithm().ok_or(TokenFault::Algorithm)?;
            let key = keys.key(jws.header.kid.as_deref(), algorithm).await?;
            if !key.verifies(jws.message.as_bytes(), &jws.signature) {
                return Err(TokenFault::Signature.into());
            }
            (key, claims)
        };
        let caller = rules.check(token, claims, &key, clock.now())?;
        self.requirements.check(&caller)?;
        Ok(caller)
    }

    /// Fetches the issuer's keys unless they are there, so that a program finds out when it starts whether they can be
    /// had, or says whether it is ready.
    ///
    /// # Errors
    ///
    /// [`GuardError::KeysUnavailable`], whose [source](std::error::Error::source) says why.
    pub async fn load_keys(&self) -> Result<(), GuardError> {
        self.shared.keys.load().await
    }
}

impl Requirements {
    fn check(&self, caller: &Caller) -> Result<(), Denial> {
        let organization = caller.organization_id();
        if !self.organization_ids.iter().all(|id| organization == Some(id.as_str())) {
            return Err(Denial::Organization);
        }
        if self.application && !caller.is_application() {
            return Err(Denial::Application);
        }
        if !self.scopes.iter().all(|scope| caller.has_scope(scope)) {
            return Err(Denial::Scope(self.scopes.clone()));
        }
        if !self.roles.iter().all(|role| caller.has_role(role)) {
            return Err(Denial::Role(self.roles.clone()));
        }
        Ok(())
    }
}

impl Debug for TokenGuard {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenGuard")
            .field("rules", &self.shared.rules)
            .field("requirements", &self.requirements)
            .finish_non_exhaustive()
    }
}
