//! The settings of a guard.

use crate::{
    algorithm::Algorithm,
    clock::Clock,
    error::ConfigurationError,
    guard::TokenGuard,
    keys::{Fetcher, KeySource, KeyStore},
    token::{AudienceRule, IssuerRule, Rules, StandardIssuer, TokenType},
};
use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const MAX_LEEWAY: Duration = MINUTE;
const MAX_FETCH_TIMEOUT: Duration = HOUR;
const MIN_KEY_LIFETIME: Duration = SECOND;
const MAX_KEY_LIFETIME: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Sets up a [`TokenGuard`].
///
/// Created by [`TokenGuard::builder`], [`TokenGuard::logto`] and [`TokenGuard::entra`]. All settings have defaults.
#[must_use = "a guard is built with `build`"]
pub struct TokenGuardBuilder {
    issuer: Result<Issuer, ConfigurationError>,
    audience: AudienceRule,
    forbid_other_audiences: bool,
    token_type: TokenType,
    leeway: Duration,
    algorithms: Vec<Algorithm>,
    keys_at: Option<String>,
    key_lifetime: RangeInclusive<Duration>,
    stale_keys_for: Duration,
    fetch_timeout: Duration,
    http_client: Option<reqwest::Client>,
    clock: Clock,
}

/// The issuer of a guard's tokens, and its discovery document.
pub(crate) struct Issuer {
    /// The beginning of the address of the discovery document.
    pub(crate) base: String,
    /// The issuer in the discovery document.
    pub(crate) name: String,
    pub(crate) rule: Arc<dyn IssuerRule>,
}

impl Issuer {
    /// Creates an issuer with one name, which follows RFC 9068.
    pub(crate) fn standard(issuer: String) -> Self {
        Self {
            base: issuer.clone(),
            name: issuer.clone(),
            rule: Arc::new(StandardIssuer(issuer)),
        }
    }
}

impl TokenGuard {
    /// Creates a builder for access tokens of any OpenID Connect issuer that follows
    /// [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068).
    ///
    /// # Arguments
    ///
    /// * `issuer` - The `iss` of the tokens, compared exactly, including a final slash. The discovery document is at
    ///   `/.well-known/openid-configuration` below it.
    /// * `audiences` - The audiences of the API. The `aud` of a token must have one of them.
    pub fn builder<A: Into<String>>(issuer: &str, audiences: impl IntoIterator<Item = A>) -> TokenGuardBuilder {
        let audiences = audiences.into_iter().map(Into::into).collect();
        TokenGuardBuilder::new(Ok(Issuer::standard(issuer.to_owned())), AudienceRule::Any(audiences))
    }
}

impl TokenGuardBuilder {
    pub(crate) fn new(issuer: Result<Issuer, ConfigurationError>, audience: AudienceRule) -> Self {
        Self {
            issuer,
            audience,
            forbid_other_audiences: false,
            token_type: TokenType::AccessToken,
            leeway: 10 * SECOND,
            algorithms: Algorithm::ALL.to_vec(),
            keys_at: None,
            key_lifetime: 5 * MINUTE..=DAY,
            stale_keys_for: DAY,
            fetch_timeout: 5 * SECOND,
            http_client: None,
            clock: Clock::default(),
        }
    }

    /// Sets the type that a token must have in its header. Default: [`TokenType::AccessToken`], or [`TokenType::Jwt`] for
    /// Entra ID.
    pub fn token_type(mut self, token_type: TokenType) -> Self {
        self.token_type = token_type;
        self
    }

    /// Sets the largest difference between the clocks of the issuer and the API, at most a minute. Default: 10 seconds.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Restricts the algorithms of the issuer's keys. Default: all supported algorithms.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Responds with 403 to a token for another audience, as Logto's guides do. Default: 401, as
    /// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3.1) requires.
    pub fn forbid_other_audiences(mut self) -> Self {
        self.forbid_other_audiences = true;
        self
    }

    /// Sets the address of the issuer's keys, for an issuer without a discovery document. Default: the `jwks_uri` of the
    /// discovery document.
    pub fn keys_at(mut self, url: &str) -> Self {
        self.keys_at = Some(url.to_owned());
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

    /// Builds the guard. It sends no request before the first token, or before [`TokenGuard::load_keys`].
    ///
    /// # Errors
    ///
    /// * The issuer is neither an `https` URL nor an `http` URL of a loopback host, or it has a user, a query, a fragment or
    ///   white space around it.
    /// * The address of the keys is neither of these URLs, or has a user or a fragment.
    /// * The list of audiences or of algorithms is empty, or an audience is.
    /// * A tenant id of Entra ID is not a GUID.
    /// * The leeway, the lifetime of keys or the timeout is out of its bounds.
    /// * No HTTP client is set and none can be built, because the system has no CA certificates.
    pub fn build(self) -> Result<TokenGuard, ConfigurationError> {
        self.check()?;
        let issuer = self.issuer?;
        let discovery = KeySource::discovery(&issuer.base, issuer.name).map_err(|error| error.of("the issuer"))?;
        let source = match &self.keys_at {
            Some(url) => KeySource::at(url).map_err(|error| error.of("the address of the keys"))?,
            None => discovery,
        };
        let client = match self.http_client {
            Some(client) => client,
            None => source.http_client()?,
        };
        let fetcher = Fetcher {
            source,
            client,
            timeout: self.fetch_timeout,
            algorithms: self.algorithms,
        };
        let rules = Rules {
            issuer: issuer.rule,
            audience: self.audience,
            forbid_other_audiences: self.forbid_other_audiences,
            token_type: self.token_type,
            leeway: self.leeway,
        };
        let keys = KeyStore::new(fetcher, self.key_lifetime, self.stale_keys_for, self.clock.clone());
        Ok(TokenGuard::new(keys, rules, self.clock))
    }

    fn check(&self) -> Result<(), ConfigurationError> {
        let refuse = |setting: &'static str, reason: &str| Err(ConfigurationError::new(reason).of(setting));
        if self.audience.has_empty() {
            return refuse("the audience", "is empty");
        }
        if self.algorithms.is_empty() {
            return refuse("the list of algorithms", "is empty");
        }
        if self.leeway > MAX_LEEWAY {
            return refuse("the leeway", "is longer than a minute");
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
