//! How a guard is set up.

use crate::{
    algorithm::Algorithm,
    clock::Clock,
    error::ConfigurationError,
    guard::TokenGuard,
    keys::{Fetcher, KeySource, KeyStore},
    providers::entra::EntraApi,
    token::{
        audience::AudienceRule,
        rules::{IssuerRule, Rules, TokenType},
    },
};
use std::{
    fmt::{self, Debug, Formatter},
    ops::RangeInclusive,
    time::Duration,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Sets up a [`TokenGuard`].
///
/// [`TokenGuard::builder`], [`TokenGuard::logto`] and [`TokenGuard::entra`] start it; all settings have defaults.
#[must_use = "a guard is built with `build`"]
pub struct TokenGuardBuilder {
    issuer: Issuer,
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

enum Issuer {
    Url(String),
    Entra(EntraApi),
}

impl TokenGuardBuilder {
    pub(crate) fn new(issuer: String, audience: AudienceRule) -> Self {
        Self {
            issuer: Issuer::Url(issuer),
            audience,
            forbid_other_audiences: false,
            token_type: TokenType::AccessToken,
            leeway: Duration::from_secs(10),
            algorithms: Algorithm::ALL.to_vec(),
            keys_at: None,
            key_lifetime: 5 * MINUTE..=DAY,
            stale_keys_for: DAY,
            fetch_timeout: Duration::from_secs(5),
            http_client: None,
            clock: Clock::default(),
        }
    }

    pub(crate) fn entra(api: EntraApi) -> Self {
        let audience = AudienceRule::Any(api.audiences());
        Self {
            issuer: Issuer::Entra(api),
            token_type: TokenType::Jwt,
            ..Self::new(String::new(), audience)
        }
    }

    /// Which `typ` a token has to have in its header: that of an access token unless set; for Entra ID, which does not
    /// use it, `JWT` too.
    pub fn token_type(mut self, token_type: TokenType) -> Self {
        self.token_type = token_type;
        self
    }

    /// By how much the clocks of issuer and API may differ: 10 seconds unless set, a minute at most.
    pub fn leeway(mut self, leeway: Duration) -> Self {
        self.leeway = leeway;
        self
    }

    /// Which algorithms' keys are used: all that are supported unless set.
    pub fn algorithms(mut self, algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        self.algorithms = algorithms.into_iter().collect();
        self
    }

    /// Answers 403 to a token for another audience, as Logto's guides do. Unless set it is 401, as
    /// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3.1) has it.
    pub fn forbid_other_audiences(mut self) -> Self {
        self.forbid_other_audiences = true;
        self
    }

    /// Where the issuer's keys are, for an issuer that has no discovery document.
    pub fn keys_at(mut self, url: &str) -> Self {
        self.keys_at = Some(url.to_owned());
        self
    }

    /// Within which bounds the `Cache-Control` of the keys says how long they live: 5 minutes to a day unless set. If it
    /// does not say, they live for an hour, within these bounds too. The bounds are a second and a year at the utmost.
    pub fn key_lifetime(mut self, bounds: RangeInclusive<Duration>) -> Self {
        self.key_lifetime = bounds;
        self
    }

    /// How long keys are used beyond their lifetime, while others are fetched or the issuer cannot be reached: a day unless
    /// set. Then requests wait for the fetch, and the answer is 503 if it fails.
    pub fn stale_keys_for(mut self, duration: Duration) -> Self {
        self.stale_keys_for = duration;
        self
    }

    /// The longest that a request to the issuer takes: 5 seconds unless set, an hour at most. There are two for the first
    /// keys, as the discovery document comes first. Nobody waits for keys longer than three times this, not even where the
    /// runtime that asks for them has stopped to run.
    pub fn fetch_timeout(mut self, timeout: Duration) -> Self {
        self.fetch_timeout = timeout;
        self
    }

    /// The client that asks the issuer, for proxies or CA certificates of your own. It should not follow redirects: what
    /// comes from another address is not accepted. It is a client of reqwest 0.13.
    ///
    /// Unless set, it is one with the proxies of the environment, or without any for an issuer on loopback.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// What tells the time, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the guard. It asks nobody for anything until it is used, or until [`TokenGuard::load_keys`].
    ///
    /// # Errors
    ///
    /// If the issuer is neither an `https` URL nor one with `http` to a loopback host, has a user, a query, a fragment or
    /// white space around it; if the address of the keys is neither of these URLs, or has a user or a fragment; if an
    /// audience or the algorithms are empty; if a tenant id of Entra ID is no GUID; if the leeway is longer than a minute;
    /// if the bounds of the lifetime are the wrong way round, below a second or beyond a year; if the timeout is zero or
    /// longer than an hour; or if no HTTP client is set and none can be built, because the system has no CA certificates.
    pub fn build(self) -> Result<TokenGuard, ConfigurationError> {
        self.check()?;
        let (issuer, source) = self.issuer()?;
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
            issuer,
            audience: self.audience,
            forbid_other_audiences: self.forbid_other_audiences,
            token_type: self.token_type,
            leeway: self.leeway,
        };
        let keys = KeyStore::new(fetcher, self.key_lifetime, self.stale_keys_for, self.clock.clone());
        Ok(TokenGuard::new(keys, rules, self.clock))
    }

    fn check(&self) -> Result<(), ConfigurationError> {
        let refuse = |setting: &'static str, fault: &str| Err(ConfigurationError::new(fault).of(setting));
        if self.audience.has_empty() {
            return refuse("the audience", "is empty");
        }
        if self.algorithms.is_empty() {
            return refuse("the list of algorithms", "is empty");
        }
        if self.leeway > MINUTE {
            return refuse("the leeway", "is longer than a minute");
        }
        let (shortest, longest) = (*self.key_lifetime.start(), *self.key_lifetime.end());
        if self.key_lifetime.is_empty() || shortest < Duration::from_secs(1) || longest > 365 * DAY {
            return refuse(
                "the lifetime of keys",
                "has bounds that are the wrong way round, below a second, or beyond a year",
            );
        }
        if self.fetch_timeout.is_zero() || self.fetch_timeout > HOUR {
            return refuse("the timeout of a fetch", "is zero or longer than an hour");
        }
        Ok(())
    }

    fn issuer(&self) -> Result<(IssuerRule, KeySource), ConfigurationError> {
        let (rule, discovery, base) = match &self.issuer {
            Issuer::Url(issuer) => (IssuerRule::Is(issuer.clone()), issuer.clone(), issuer.clone()),
            Issuer::Entra(api) => {
                let tenants = api.tenants()?;
                let (issuer, base) = tenants.discovery();
                (IssuerRule::Entra(tenants), issuer, base)
            }
        };
        let discovery = KeySource::discovery(&base, discovery).map_err(|error| error.of("the issuer"))?;
        let source = match &self.keys_at {
            Some(url) => KeySource::at(url).map_err(|error| error.of("the address of the keys"))?,
            None => discovery,
        };
        Ok((rule, source))
    }
}

/// Shows no address, as one that has not been checked may hold a password.
impl Debug for TokenGuardBuilder {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenGuardBuilder")
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}
