//! The guard: checks the token of a request, and the requirements of an API.

use crate::{
    bearer::{BearerToken, MAX_TOKEN_LEN},
    caller::Caller,
    clock::Clock,
    error::{Denial, GuardError, TokenFault},
    keys::KeyStore,
    token::{Jws, Rules},
};
use http::HeaderMap;
use std::{fmt, sync::Arc};

/// Decides who is calling, by the bearer token of a request.
///
/// A guard is cheap to clone. Its clones share the issuer's keys, and so do the guards that
/// [require more](Self::requiring_scopes). Create one guard per issuer and audience. It runs on tokio, with I/O and time
/// enabled.
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

/// The permissions that a valid token must have.
#[derive(Clone, Debug, Default)]
struct Requirements {
    scopes: Vec<String>,
    roles: Vec<String>,
    /// All of these are required, so no token can meet two.
    organization_ids: Vec<String>,
    application: bool,
}

impl TokenGuard {
    pub(crate) fn new(keys: Arc<KeyStore>, rules: Rules, clock: Clock) -> Self {
        Self {
            shared: Arc::new(Shared { keys, rules, clock }),
            requirements: Arc::default(),
        }
    }

    /// Returns a guard that also requires all of these scopes. A token without one of them gets a 403.
    #[must_use]
    pub fn requiring_scopes<S: Into<String>>(&self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.requiring(|requirements| requirements.scopes.extend(scopes.into_iter().map(Into::into)))
    }

    /// Returns a guard that also requires all of these roles. A token without one of them gets a 403.
    ///
    /// Users have roles, too: add [`requiring_application`](Self::requiring_application) for an API of daemons.
    #[must_use]
    pub fn requiring_roles<S: Into<String>>(&self, roles: impl IntoIterator<Item = S>) -> Self {
        self.requiring(|requirements| requirements.roles.extend(roles.into_iter().map(Into::into)))
    }

    /// Returns a guard that also requires an application that acts for no user ([`Caller::is_application`]). A user's token
    /// gets a 403.
    #[must_use]
    pub fn requiring_application(&self) -> Self {
        self.requiring(|requirements| requirements.application = true)
    }

    /// Returns a guard that also requires this organization. A token for another organization, or for none, gets a 403. If
    /// two organizations are required, every token gets a 403.
    #[must_use]
    pub fn requiring_organization(&self, organization_id: &str) -> Self {
        self.requiring(|requirements| requirements.organization_ids.push(organization_id.to_owned()))
    }

    fn requiring(&self, add: impl FnOnce(&mut Requirements)) -> Self {
        let mut guard = self.clone();
        add(Arc::make_mut(&mut guard.requirements));
        guard
    }

    /// Checks the token in the `Authorization` header of a request, and returns the caller.
    ///
    /// # Errors
    ///
    /// Any [`GuardError`], which is also the response.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, GuardError> {
        self.authenticate_token(BearerToken::from_headers(headers)?).await
    }

    /// Checks a token that was not in a header, such as one from a web socket, and returns the caller.
    ///
    /// # Errors
    ///
    /// [`GuardError::InvalidToken`], [`GuardError::Forbidden`] or [`GuardError::KeysUnavailable`].
    pub async fn verify(&self, token: &str) -> Result<Caller, GuardError> {
        if token.len() > MAX_TOKEN_LEN {
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
        let (claims, key) = {
            let jws = Jws::parse(token.secret())?;
            rules.check_header(&jws.header)?;
            let claims = jws.claims()?;
            rules.check_issuer(&claims)?;
            let algorithm = jws.header.algorithm().ok_or(TokenFault::Algorithm)?;
            let key = keys.key(jws.header.kid.as_deref(), algorithm).await?;
            if !key.verifies(jws.message.as_bytes(), &jws.signature) {
                return Err(TokenFault::Signature.into());
            }
            (claims, key)
        };
        let verified = rules.check(claims, &key, clock.now())?;
        let caller = Caller::new(token, verified);
        self.requirements.check(&caller)?;
        Ok(caller)
    }

    /// Fetches the issuer's keys unless they are cached. Call it when a program starts, to find out that the keys are
    /// unavailable before the first request does, or to report readiness.
    ///
    /// # Errors
    ///
    /// [`GuardError::KeysUnavailable`]. Its [source](std::error::Error::source) says why.
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

impl fmt::Debug for TokenGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenGuard")
            .field("rules", &self.shared.rules)
            .field("requirements", &self.requirements)
            .finish_non_exhaustive()
    }
}
