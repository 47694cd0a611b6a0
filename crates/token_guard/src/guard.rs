//! The guard: checks the token of a request, and the requirements of an API.

use crate::{
    bearer::{BearerToken, MAX_TOKEN_LEN},
    caller::Caller,
    clock::Clock,
    error::{Denial, GuardError, TokenFault},
    evidence::{Evidence, RefusalMonitor},
    keys::{IssuerKeys, VerifyingKey},
    token::{Claims, Jws, Rules},
};
use futures::future::select_ok;
use http::HeaderMap;
use std::{fmt, mem, sync::Arc, time::SystemTime};
use tracing::Level;

/// Decides who is calling, by the bearer token of a request.
///
/// A guard is cheap to clone. Its clones share the issuer's keys, and so do the guards that
/// [require more](Self::requiring_scopes). Create one guard per issuer and audience, and join them with
/// [`any_of`](Self::any_of) for an API with several issuers. It runs on tokio, with I/O and time enabled.
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
    issuers: Arc<[IssuerGuard]>,
    requirements: Arc<Requirements>,
    monitor: Arc<RefusalMonitor>,
    webhooks: WebhookRules,
}

/// The guard of one issuer, with the requirements that it had when it was joined with others.
#[derive(Clone)]
struct IssuerGuard {
    shared: Arc<Shared>,
    requirements: Arc<Requirements>,
}

struct Shared {
    keys: IssuerKeys,
    rules: Rules,
    clock: Clock,
}

/// The permissions that a valid token must have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requirements {
    scopes: Vec<String>,
    pub(crate) roles: Vec<String>,
    /// All of these are required, so no token can meet two.
    organization_ids: Vec<String>,
    pub(crate) application: bool,
}

/// The rules for webhooks, which a guard does not check itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WebhookRules {
    /// Answers the handshakes of Event Grid.
    pub(crate) handshakes: bool,
    /// Passes on webhooks without a token.
    pub(crate) unauthenticated: bool,
    /// The longest body, in bytes.
    pub(crate) body_limit: usize,
}

impl Default for WebhookRules {
    fn default() -> Self {
        Self {
            handshakes: false,
            unauthenticated: false,
            body_limit: 1024 * 1024,
        }
    }
}

impl TokenGuard {
    pub(crate) fn new(
        keys: IssuerKeys,
        rules: Rules,
        clock: Clock,
        requirements: Requirements,
        webhooks: WebhookRules,
    ) -> Self {
        let issuer = IssuerGuard {
            shared: Arc::new(Shared { keys, rules, clock }),
            requirements: Arc::default(),
        };
        Self {
            issuers: Arc::new([issuer]),
            requirements: Arc::new(requirements),
            monitor: Arc::default(),
            webhooks,
        }
    }

    /// Joins the guards of several issuers, or of one issuer in several roles.
    ///
    /// The unverified `iss` of a token chooses the guards that may accept it. A token is accepted if one of these accepts it
    /// in full: with its own keys, audience and requirements. No other guard sees the token, so the keys, outages and limits
    /// of one issuer do not touch the others. The policies of a tenant of B2C count as issuers.
    ///
    /// Several guards may be for one issuer. They are asked in turn. If all refuse, the response is that of the guard that
    /// came furthest.
    ///
    /// Requirements that are added to the joined guard apply to all tokens. Webhooks without a token are passed on only if
    /// each guard allows them. Without any guard, every token is refused.
    ///
    /// # Examples
    ///
    /// ```
    /// use token_guard::{EntraApi, LogtoPermissions, TokenGuard};
    ///
    /// let api = EntraApi::new("aaaabbbb-0000-cccc-1111-dddd2222eeee", "00001111-aaaa-2222-bbbb-3333cccc4444");
    /// let employees = TokenGuard::entra(api).build()?.requiring_scopes(["access_as_user"]);
    /// let resource = "https://api.contoso.com".to_owned();
    /// let customers = TokenGuard::logto("https://contoso.logto.app", LogtoPermissions::GlobalApi { resource }).build()?;
    /// let guard = TokenGuard::any_of([employees, customers]);
    /// # Ok::<(), token_guard::ConfigurationError>(())
    /// ```
    #[must_use]
    pub fn any_of(guards: impl IntoIterator<Item = Self>) -> Self {
        let guards: Vec<Self> = guards.into_iter().collect();
        let issuers = guards.iter().flat_map(|guard| {
            let join = |issuer: &IssuerGuard| IssuerGuard {
                shared: issuer.shared.clone(),
                requirements: Arc::new(issuer.requirements.and(&guard.requirements)),
            };
            guard.issuers.iter().map(join)
        });
        Self {
            issuers: issuers.collect(),
            requirements: Arc::default(),
            monitor: Arc::default(),
            webhooks: WebhookRules {
                handshakes: guards.iter().any(|guard| guard.webhooks.handshakes),
                unauthenticated: !guards.is_empty() && guards.iter().all(|guard| guard.webhooks.unauthenticated),
                body_limit: guards
                    .iter()
                    .map(|guard| guard.webhooks.body_limit)
                    .max()
                    .unwrap_or_default(),
            },
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
    ///
    /// At an issuer whose users choose their `sub`, a user can be named like a client. Set
    /// [`subject_claim`](crate::TokenGuardBuilder::subject_claim) to an ID that the issuer assigns, and require a role.
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
        let checked = self.check(&token).await;
        match &checked {
            Ok(caller) => {
                self.monitor.accepted();
                tracing::debug!(subject = caller.subject(), "a token was accepted");
            }
            Err(error) => self.log_refusal(&token, error),
        }
        checked
    }

    async fn check(&self, token: &BearerToken) -> Result<Caller, GuardError> {
        let jws = Jws::parse(token.secret())?;
        let mut claims = jws.claims()?;
        let issuer = claims.text("iss")?.unwrap_or_default().to_owned();
        let may_be_of = |guard: &&IssuerGuard| guard.shared.rules.issuer.may_be_of(&claims, &issuer);
        let candidates: Vec<_> = self.issuers.iter().filter(may_be_of).collect();
        let mut refusal: Option<GuardError> = None;
        for (index, guard) in candidates.iter().enumerate() {
            let is_last = index + 1 == candidates.len();
            let claims = if is_last {
                mem::take(&mut claims)
            } else {
                claims.clone()
            };
            let outcome = guard.check(&jws, claims, token).await.and_then(|caller| {
                self.requirements.check(&caller)?;
                Ok(caller)
            });
            match outcome {
                Ok(caller) => return Ok(caller),
                Err(error) if refusal.as_ref().is_none_or(|first| progress(first) < progress(&error)) => {
                    refusal = Some(error);
                }
                Err(_) => {}
            }
        }
        Err(refusal.unwrap_or_else(|| TokenFault::Issuer.into()))
    }

    /// Logs a refused token, and warns if it is one of many that are refused for one reason.
    fn log_refusal(&self, token: &BearerToken, error: &GuardError) {
        let evidence = || {
            let parsed = Jws::parse(token.secret()).ok().and_then(|jws| jws.claims().ok());
            let issuer = parsed.as_ref().and_then(|claims| claims.text("iss").ok().flatten());
            let accepts = |guard: &&IssuerGuard| issuer.is_some_and(|issuer| guard.accepts(issuer));
            let mut guards: Vec<_> = self.issuers.iter().filter(accepts).collect();
            if guards.is_empty() {
                guards = self.issuers.iter().collect();
            }
            let issuers: Vec<_> = guards
                .iter()
                .map(|guard| (&guard.shared.rules, guard.shared.keys.known()))
                .collect();
            Evidence::read(token.secret(), &issuers)
        };
        if tracing::enabled!(Level::DEBUG) {
            let evidence = evidence().map(|evidence| evidence.to_string());
            tracing::debug!(code = error.code(), reason = %error, evidence, "a token was refused");
        }
        if !matches!(error, GuardError::KeysUnavailable(_)) {
            let now = self
                .issuers
                .first()
                .map_or_else(SystemTime::now, |guard| guard.shared.clock.now());
            self.monitor.refused(error, now, evidence);
        }
    }

    /// Fetches the keys unless usable ones are cached. Call it when a program starts, to find out that the keys are
    /// unavailable before the first request does, or to report readiness.
    ///
    /// Returns at once if keys are cached, even if they have expired and are still
    /// [usable](crate::TokenGuardBuilder::stale_keys_for): the guard then fetches new ones meanwhile. A guard of several
    /// issuers asks all of them, and returns as soon as it has the keys of one.
    ///
    /// # Errors
    ///
    /// [`GuardError::KeysUnavailable`]. Its [source](std::error::Error::source) says why.
    pub async fn load_keys(&self) -> Result<(), GuardError> {
        let loads: Vec<_> = self.issuers.iter().map(|guard| guard.shared.keys.load()).collect();
        if loads.is_empty() {
            return Ok(());
        }
        select_ok(loads).await.map(drop)
    }

    #[cfg(any(feature = "actix", feature = "axum"))]
    pub(crate) fn webhook_rules(&self) -> WebhookRules {
        self.webhooks
    }
}

impl IssuerGuard {
    fn accepts(&self, issuer: &str) -> bool {
        self.shared.rules.issuer.accepts(issuer)
    }

    /// Checks a token in full.
    async fn check(&self, jws: &Jws<'_>, claims: Claims, token: &BearerToken) -> Result<Caller, GuardError> {
        let Shared { keys, rules, clock } = &*self.shared;
        rules.check_header(&jws.header)?;
        let algorithm = jws.header.algorithm().ok_or(TokenFault::Algorithm)?;
        let key = keys.key(jws.header.key_hint(), algorithm).await?;
        let has_signed = |key: &VerifyingKey| key.verifies(algorithm, jws.message.as_bytes(), &jws.signature);
        let key = if has_signed(&key) {
            key
        } else {
            // The issuer may have replaced its only key, which the token does not name.
            let replacement = keys.replacement(&key, jws.header.key_hint(), algorithm).await?;
            replacement.filter(|key| has_signed(key)).ok_or(TokenFault::Signature)?
        };
        let verified = rules.check(&jws.header, claims, &key, clock.now())?;
        let caller = Caller::new(token.clone(), verified);
        self.requirements.check(&caller)?;
        Ok(caller)
    }
}

/// Returns the progress of a token that a guard refused. A verified token says more than missing keys, and these say more
/// than an invalid token.
fn progress(refusal: &GuardError) -> u8 {
    match refusal {
        GuardError::Forbidden(Denial::Audience) | GuardError::InvalidToken(TokenFault::Issuer) => 0,
        GuardError::InvalidToken(_) => 1,
        GuardError::KeysUnavailable(_) => 2,
        _ => 3,
    }
}

impl Requirements {
    /// Returns these requirements and others.
    fn and(&self, other: &Self) -> Self {
        Self {
            scopes: [&self.scopes[..], &other.scopes].concat(),
            roles: [&self.roles[..], &other.roles].concat(),
            organization_ids: [&self.organization_ids[..], &other.organization_ids].concat(),
            application: self.application || other.application,
        }
    }

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
            .field(
                "rules",
                &self.issuers.iter().map(|guard| &guard.shared.rules).collect::<Vec<_>>(),
            )
            .field("requirements", &self.requirements)
            .finish_non_exhaustive()
    }
}
