//! The settings of a guard.

use crate::{
    algorithm::Algorithm,
    clock::Clock,
    error::ConfigurationError,
    guard::{Requirements, TokenGuard, WebhookRules},
    keys::{Fetcher, IssuerKeys, KeySet, KeySource, KeyStore, PlainHttp},
    token::{AudienceRule, ClaimNames, IssuerRule, Rules, StandardIssuer, TokenType},
};
use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const DEFAULT_LEEWAY: Duration = Duration::from_secs(30);
pub(crate) const MAX_LEEWAY: Duration = Duration::from_secs(5 * 60);
const MAX_FETCH_TIMEOUT: Duration = HOUR;
const MIN_KEY_LIFETIME: Duration = SECOND;
const MAX_KEY_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Sets up a [`TokenGuard`].
///
/// Created by [`TokenGuard::builder`], [`TokenGuard::logto`], [`TokenGuard::entra`], [`TokenGuard::call_automation`] and
/// [`TokenGuard::event_grid`]. All settings have defaults.
#[must_use = "a guard is built with `build`"]
pub struct TokenGuardBuilder {
    issuer: Result<Issuer, ConfigurationError>,
    audience: AudienceRule,
    forbid_other_audiences: bool,
    allowed_clients: Option<Vec<String>>,
    token_type: TokenType,
    leeway: Duration,
    algorithms: Vec<Algorithm>,
    names: ClaimNames,
    keys: KeyPlace,
    plain_http: PlainHttp,
    key_lifetime: RangeInclusive<Duration>,
    stale_keys_for: Duration,
    fetch_timeout: Duration,
    http_client: Option<reqwest::Client>,
    clock: Clock,
    pub(crate) requirements: Requirements,
    pub(crate) webhooks: WebhookRules,
}

/// The issuer of a guard's tokens, and its discovery document.
pub(crate) struct Issuer {
    /// The beginning of the address of the discovery document.
    pub(crate) base: String,
    /// The issuers that the discovery document may name.
    pub(crate) names: Vec<String>,
    pub(crate) rule: Arc<dyn IssuerRule>,
}

impl Issuer {
    /// Creates an issuer with one name, which follows RFC 9068.
    pub(crate) fn standard(issuer: String) -> Self {
        Self {
            base: issuer.clone(),
            names: vec![issuer.clone()],
            rule: Arc::new(StandardIssuer(issuer)),
        }
    }

    /// Checks an issuer that is only compared with `iss`.
    fn check_text(&self) -> Result<(), ConfigurationError> {
        let refuse = |reason: &str| Err(ConfigurationError::new(reason).of("the issuer"));
        if self.base.is_empty() {
            return refuse("is empty");
        }
        if self.base.trim() != self.base {
            return refuse("has white space around it");
        }
        Ok(())
    }
}

/// The place where the owner of the guard says that the keys are.
enum KeyPlace {
    /// In the discovery document below the issuer.
    Issuer,
    /// In the discovery document at this address.
    Metadata(String),
    /// At this address.
    Keys(String),
    /// In this key set.
    Fixed(String),
}

impl TokenGuard {
    /// Creates a builder for access tokens of any OpenID Connect issuer. Without further settings, they must follow
    /// [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068).
    ///
    /// # Arguments
    ///
    /// * `issuer` - The `iss` of the tokens, compared exactly, including a final slash. The discovery document is at
    ///   `/.well-known/openid-configuration` below it, unless [`metadata_at`](TokenGuardBuilder::metadata_at) or
    ///   [`keys_at`](TokenGuardBuilder::keys_at) is set. If one of them is, `issuer` may be any text.
    /// * `audiences` - The audiences of the API. The `aud` of a token must have one of them.
    pub fn builder<A: Into<String>>(issuer: &str, audiences: impl IntoIterator<Item = A>) -> TokenGuardBuilder {
        let audiences = audiences.into_iter().map(Into::into).collect();
        TokenGuardBuilder::new(Ok(Issuer::standard(issuer.to_owned())), AudienceRule::any(audiences))
    }
}

impl TokenGuardBuilder {
    pub(crate) fn new(issuer: Result<Issuer, ConfigurationError>, audience: AudienceRule) -> Self {
        Self {
            issuer,
            audience,
            forbid_other_audiences: false,
            allowed_clients: None,
            token_type: TokenType::AccessToken,
            leeway: DEFAULT_LEEWAY,
            algorithms: Algorithm::ALL.to_vec(),
            names: ClaimNames::default(),
            keys: KeyPlace::Issuer,
            plain_http: PlainHttp::default(),
            key_lifetime: 5 * MINUTE..=DAY,
            stale_keys_for: DAY,
            fetch_timeout: 5 * SECOND,
            http_client: None,
            clock: Clock::default(),
            requirements: Requirements::default(),
            webhooks: WebhookRules::default(),
        }
    }

    /// Sets the type that a token must have in its header. Default: [`TokenType::AccessToken`], or [`TokenType::Jwt`] for
    /// Entra ID, Call Automation and Event Grid.
    pub fn token_type(mut self, token_type: TokenType) -> Self {
        self.token_type = token_type;
        self
    }

    /// Sets the largest difference between the clocks of the issuer and the API, at most 5 minutes. Default: 30 seconds, or 5
    /// minutes for Call Automation.
    ///
    /// An expired token is accepted for this long, too.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Restricts the algorithms of the issuer's keys. Default: all supported algorithms, or RS256 for Call Automation.
    ///
    /// A key without `alg` verifies each of these that fits its type.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Accepts tokens without `aud`, such as those of Cognito, if their `client_id` is one of these. Default: no client, so
    /// that each token must have an audience.
    ///
    /// A token with `aud` still needs one of the audiences of [`TokenGuard::builder`], which may be `None::<&str>`. So no id
    /// token is accepted, whose `aud` is the client.
    ///
    /// Such tokens are for all APIs of the issuer. Any of its APIs can pass on the token of a user to this one, and so can
    /// anyone who gets a token for one of these clients. [Require](TokenGuard::requiring_scopes) a scope of this API.
    pub fn client_ids_in_place_of_audience<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        if let AudienceRule::Any { client_ids, .. } = &mut self.audience {
            *client_ids = ids.into_iter().map(Into::into).collect();
        } else {
            let reason = "cannot replace the audience of Logto's tokens: remove client_ids_in_place_of_audience";
            self.issuer = Err(ConfigurationError::new(reason).of("client ids"));
        }
        self
    }

    /// Restricts the clients whose tokens are accepted. The token of another client gets a 403. Default: all clients of the
    /// issuer, or Event Grid.
    ///
    /// The client is [`Caller::client_id`](crate::Caller::client_id).
    pub fn allowed_clients<S: Into<String>>(mut self, ids: impl IntoIterator<Item = S>) -> Self {
        self.allowed_clients = Some(ids.into_iter().map(Into::into).collect());
        self
    }

    /// Responds with 403 to a token for another audience, as Logto's guides do. Default: 401, as
    /// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3.1) requires.
    pub fn forbid_other_audiences(mut self) -> Self {
        self.forbid_other_audiences = true;
        self
    }

    /// Sets the claim of the scopes: a text of words or a list of words. Default: `scope`, or `scp` for Entra ID.
    ///
    /// The name is a path. A claim with exactly this name comes first, such as `https://contoso.com/scopes`; otherwise dots
    /// separate the names of nested objects, as in `authorization.scopes`.
    pub fn scope_claim(mut self, path: &str) -> Self {
        path.clone_into(&mut self.names.scopes);
        self
    }

    /// Sets the claim of the roles: a text, which is one role, or a list of texts. Default: `roles`.
    ///
    /// The name is a path, as in [`scope_claim`](Self::scope_claim): `realm_access.roles` of Keycloak, for example.
    pub fn roles_claim(mut self, path: &str) -> Self {
        path.clone_into(&mut self.names.roles);
        self
    }

    /// Sets the claim of the subject, a text. Default: `sub`. A token without it is refused.
    ///
    /// The name is a path, as in [`scope_claim`](Self::scope_claim). The claim must identify a user for good, within the
    /// issuer.
    pub fn subject_claim(mut self, path: &str) -> Self {
        path.clone_into(&mut self.names.subject);
        self
    }

    /// Sets a claim by whose value a token is that of an application that acts for no user, such as `gty` with
    /// `client-credentials`. Each call adds a claim. Default: see [`Caller::is_application`](crate::Caller::is_application).
    ///
    /// The name is a path, as in [`scope_claim`](Self::scope_claim). [`build`](Self::build) refuses it for Entra ID, External ID,
    /// Event Grid and Call Automation, whose tokens show by other claims that they are those of applications.
    pub fn application_claim(mut self, path: &str, value: &str) -> Self {
        self.names.application.push((path.to_owned(), value.to_owned()));
        self
    }

    /// Sets the address of the issuer's discovery document, for an issuer that has it elsewhere, or that is reached by
    /// another name from here. Default: `/.well-known/openid-configuration` below the issuer.
    ///
    /// The document must name the issuer, as `issuer` or as AD FS's `access_token_issuer`. Of this method,
    /// [`keys_at`](Self::keys_at) and [`fixed_keys`](Self::fixed_keys), the last call counts.
    pub fn metadata_at(mut self, url: &str) -> Self {
        self.keys = KeyPlace::Metadata(url.to_owned());
        self
    }

    /// Sets the address of the issuer's keys, for an issuer without a discovery document, or whose document names another
    /// issuer. Default: the `jwks_uri` of the discovery document.
    pub fn keys_at(mut self, url: &str) -> Self {
        self.keys = KeyPlace::Keys(url.to_owned());
        self
    }

    /// Sets the keys of the issuer, a JWK set in JSON, for tests and for networks without access to the issuer. The guard
    /// sends no request then. A new key of the issuer needs a new guard.
    ///
    /// # Examples
    ///
    /// ```
    /// use token_guard::TokenGuard;
    ///
    /// // The key of RFC 8037, appendix A.2.
    /// let keys = r#"{"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    /// let guard = TokenGuard::builder("contoso", ["https://api.contoso.com"]).fixed_keys(keys).build()?;
    /// # Ok::<(), token_guard::ConfigurationError>(())
    /// ```
    pub fn fixed_keys(mut self, jwks: &str) -> Self {
        self.keys = KeyPlace::Fixed(jwks.to_owned());
        self
    }

    /// Fetches the discovery document and the keys over plain http, also from other machines. Default: over https, or over
    /// http on loopback.
    ///
    /// This gives up that the keys are the issuer's: anyone between the issuer and the API can replace them, and sign any
    /// token. Use it only within a network that you trust as you trust the issuer. A document that came over https still
    /// needs keys at https.
    pub fn allow_forgeable_keys_over_http(mut self) -> Self {
        self.plain_http = PlainHttp::Anywhere;
        self
    }

    /// Sets the bounds of the lifetime of keys, between a second and a year. Default: 5 minutes to a day.
    ///
    /// Within these bounds, keys live as long as the `Cache-Control` of their response says, or an hour if it does not say.
    pub fn key_lifetime(mut self, bounds: RangeInclusive<Duration>) -> Self {
        self.key_lifetime = bounds;
        self
    }

    /// Sets the longest use of expired keys, while new ones are fetched or the issuer cannot be reached. Default: a day.
    ///
    /// After that, requests wait for the fetch, and get a 503 if it fails.
    pub fn stale_keys_for(mut self, duration: Duration) -> Self {
        self.stale_keys_for = duration;
        self
    }

    /// Sets the timeout of a request to the issuer, at most an hour. Default: 5 seconds.
    ///
    /// The first keys take two requests, as the discovery document comes first. A token waits for keys at most three times
    /// this timeout, even if the runtime that fetches them has stopped running.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.fetch_timeout = timeout;
        self
    }

    /// Sets the client for requests to the issuer, a client of reqwest 0.13. Use it to set proxies or CA certificates.
    /// Default: a client with the proxies of the environment, or without proxies for an issuer on loopback.
    ///
    /// The client should not follow redirects: a response from another address is refused.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// Sets the clock, for tests. Default: the system's clock.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Sets the longest body of a webhook, in bytes. A longer one gets a 413. Default: 1 MiB, the longest of Event Grid.
    pub fn webhook_body_limit(mut self, bytes: usize) -> Self {
        self.webhooks.body_limit = bytes;
        self
    }

    /// Passes on webhooks without a token. A webhook with an invalid token is still refused. Default: a webhook needs a valid
    /// token.
    ///
    /// Anyone can send such a webhook. Check another secret before you believe it, such as one in the query of its address.
    pub fn allow_unauthenticated_webhooks(mut self) -> Self {
        self.webhooks.unauthenticated = true;
        self
    }

    /// Builds the guard. It sends no request before the first token, or before [`TokenGuard::load_keys`].
    ///
    /// # Errors
    ///
    /// * The issuer is neither an `https` URL nor an `http` URL of a loopback host, or it has a user, a query or a fragment,
    ///   and no other place of the keys is set.
    /// * The issuer is empty, or has white space around it.
    /// * The address of the document or of the keys is neither of these URLs, or has a user or a fragment.
    /// * The fixed keys are not a JWK set with a key for one of the algorithms.
    /// * The list of audiences, of algorithms or of allowed clients is empty, or a text in it is.
    /// * A tenant id or client id of Entra ID, or a resource id, is not a GUID.
    /// * The name of a claim is empty.
    /// * There is an application claim for an issuer whose tokens are those of applications by other claims.
    /// * The leeway, the lifetime of keys or the timeout is out of its bounds.
    /// * No HTTP client is set and none can be built, because the system has no CA certificates.
    pub fn build(self) -> Result<TokenGuard, ConfigurationError> {
        self.check()?;
        let issuer = self.issuer?;
        if !self.names.application.is_empty() && !issuer.rule.reads_application_claims() {
            let reason = "have no effect for tokens of Entra ID or Call Automation: remove application_claim";
            return Err(ConfigurationError::new(reason).of("application claims"));
        }
        if !matches!(self.keys, KeyPlace::Issuer) {
            issuer.check_text()?;
        }
        let source = |source: Result<KeySource, ConfigurationError>, setting| source.map_err(|error| error.of(setting));
        let (names, http) = (issuer.names, self.plain_http);
        let fetched = |source: KeySource| -> Result<_, ConfigurationError> {
            let fetcher = Fetcher {
                client: self.http_client.map_or_else(|| source.http_client(), Ok)?,
                source,
                timeout: self.fetch_timeout,
                algorithms: self.algorithms.clone(),
            };
            let (lifetimes, stale_for) = (self.key_lifetime, self.stale_keys_for);
            Ok(IssuerKeys::Fetched(KeyStore::new(
                fetcher,
                lifetimes,
                stale_for,
                self.clock.clone(),
            )))
        };
        let keys = match self.keys {
            KeyPlace::Issuer => fetched(source(KeySource::discovery(&issuer.base, names, http), "the issuer")?)?,
            KeyPlace::Metadata(url) => {
                let setting = "the address of the discovery document";
                fetched(source(KeySource::metadata(&url, names, http), setting)?)?
            }
            KeyPlace::Keys(url) => fetched(source(KeySource::keys(&url, http), "the address of the keys")?)?,
            KeyPlace::Fixed(jwks) => {
                let keys = KeySet::parse(jwks.as_bytes(), &self.algorithms);
                let reason = "are not a JWK set with a key for one of the algorithms";
                let keys = keys.ok_or_else(|| ConfigurationError::new(reason).of("the fixed keys"))?;
                IssuerKeys::Fixed(Arc::new(keys))
            }
        };
        let rules = Rules {
            issuer: issuer.rule,
            audience: self.audience,
            forbid_other_audiences: self.forbid_other_audiences,
            allowed_clients: self.allowed_clients,
            token_type: self.token_type,
            algorithms: self.algorithms,
            names: self.names,
            leeway: self.leeway,
        };
        Ok(TokenGuard::new(
            keys,
            rules,
            self.clock,
            self.requirements,
            self.webhooks,
        ))
    }

    fn check(&self) -> Result<(), ConfigurationError> {
        let refuse = |setting: &'static str, reason: &str| Err(ConfigurationError::new(reason).of(setting));
        if self.audience.has_empty() {
            return refuse("the audience", "is empty");
        }
        if self.algorithms.is_empty() {
            return refuse("the list of algorithms", "is empty");
        }
        let clients = self.allowed_clients.as_deref();
        if clients.is_some_and(|ids| ids.is_empty() || ids.iter().any(String::is_empty)) {
            return refuse("the list of allowed clients", "is empty, or has an empty id");
        }
        let ClaimNames {
            subject,
            scopes,
            roles,
            application,
        } = &self.names;
        let named = application.iter().flat_map(|(path, value)| [path, value]);
        if [subject, scopes, roles].into_iter().chain(named).any(String::is_empty) {
            return refuse("the name of a claim", "is empty");
        }
        if self.leeway > MAX_LEEWAY {
            return refuse("the leeway", "is longer than 5 minutes");
        }
        let (shortest, longest) = (*self.key_lifetime.start(), *self.key_lifetime.end());
        if self.key_lifetime.is_empty() || shortest < MIN_KEY_LIFETIME || longest > MAX_KEY_LIFETIME {
            return refuse(
                "the lifetime of keys",
                "has bounds that are the wrong way round, below a second, or beyond a year",
            );
        }
        if self.fetch_timeout.is_zero() || self.fetch_timeout > MAX_FETCH_TIMEOUT {
            return refuse("the timeout of a fetch", "is zero or longer than an hour");
        }
        Ok(())
    }
}

/// Shows no address: one that has not been checked may hold a password.
impl fmt::Debug for TokenGuardBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenGuardBuilder")
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
