//! The service put together.

use crate::{
    acs::Acs,
    directory::{Directory, Settings, Swept},
    layers::{self, Bounds},
    metrics::Metrics,
    policy::TokenPolicy,
    routes::{self, ApiState, Health, RateLimit},
    seal::SealingKeys,
    service_limits::ServiceLimits,
    store::{Store, StoreError},
    teams::TeamsExchange,
    user::UserIdClaims,
};
use axum::{Router, http::HeaderValue};
use azure_communication_identity::CommunicationIdentityClient;
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use token_guard::{Clock, TokenGuard};
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

/// How often the sweep runs.
const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

/// What a caller may send unless a service says otherwise.
const REQUESTS_PER_MINUTE: NonZeroU32 = match NonZeroU32::new(120) {
    Some(requests) => requests,
    None => NonZeroU32::MIN,
};

/// The trusted service: users of an app get tokens of Azure Communication Services from it.
///
/// Its clones are the same service.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::CommunicationIdentityClient;
/// use token_guard::TokenGuard;
/// use token_service::{Store, TokenService};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let connection_string = "endpoint=https://contoso.communication.azure.com;accessKey=c2VjcmV0";
/// let identities = CommunicationIdentityClient::with_connection_string(connection_string, None)?;
/// let guard = TokenGuard::builder("https://issuer.contoso.com", ["https://api.contoso.com"]).build()?;
/// let store = Store::connect("sqlite::memory:", 1).await?;
///
/// let service = TokenService::builder(identities, guard, store).build();
/// let app = service.routes().merge(service.operations());
/// tokio::spawn(async move { service.keep_swept().await });
/// # let _: axum::Router = app;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TokenService {
    api: Arc<ApiState>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    bounds: Bounds,
}

/// Sets up a [`TokenService`].
#[derive(Debug)]
#[must_use]
pub struct TokenServiceBuilder {
    identities: CommunicationIdentityClient,
    guard: TokenGuard,
    store: Store,
    settings: Settings,
    policy: TokenPolicy,
    user_id_claims: UserIdClaims,
    teams: Option<TeamsExchange>,
    requests_per_minute: NonZeroU32,
    service_limits: Option<ServiceLimits>,
    bounds: Bounds,
}

impl TokenService {
    /// Begins to set up a service.
    ///
    /// # Arguments
    ///
    /// * `identities` - The client of the Azure Communication Services resource. [`ServiceLimits`] keep it within the
    ///   service's limits. Its `timeout` should be shorter than the time that a request has, and its `max_retry_after` much
    ///   shorter, so that callers are told what the service answered.
    /// * `guard` - Checks the tokens of callers.
    /// * `store` - Where the identities of users are kept.
    pub fn builder(identities: CommunicationIdentityClient, guard: TokenGuard, store: Store) -> TokenServiceBuilder {
        TokenServiceBuilder {
            identities,
            guard,
            store,
            settings: Settings::default(),
            policy: TokenPolicy::default(),
            user_id_claims: UserIdClaims::default(),
            teams: None,
            requests_per_minute: REQUESTS_PER_MINUTE,
            service_limits: None,
            bounds: Bounds {
                time: Duration::from_secs(30),
                body: 16 * 1024,
                origins: Vec::new(),
            },
        }
    }

    /// The API, and its description at `/openapi.json`.
    pub fn routes(&self) -> Router {
        layers::around(routes::api(self.api.clone()), self.bounds.clone(), self.metrics.clone())
    }

    /// `/healthz`, `/readyz` and `/metrics`.
    pub fn operations(&self) -> Router {
        routes::operations(self.health.clone())
    }

    /// Cleans up after crashes and failures: gives up creations that were not finished in time, deletes identities of
    /// removed users, and forgets expired tokens.
    ///
    /// # Errors
    ///
    /// If the database fails. Failures of Azure Communication Services are counted in [`Swept::failed`].
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        self.api.rate_limit.remove_idle();
        self.api.directory.sweep().await
    }

    /// [Sweeps](Self::sweep) once a minute, and never returns.
    pub async fn keep_swept(&self) {
        let mut interval = interval(SWEEP_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = self.sweep().await {
                warn!(%error, "the sweep stopped half-way, and is tried again");
            }
        }
    }

    /// Answers 503 at `/readyz` from now on, so that a load balancer sends requests elsewhere.
    pub fn drain(&self) {
        self.health.drain();
    }

    /// Waits for what was begun for callers who have gone away, and closes the database. Call it when the server has
    /// stopped.
    pub async fn close(&self) {
        self.api.directory.close().await;
    }
}

impl TokenServiceBuilder {
    /// Which tokens callers may have. Default: chat and calling, for 24 hours.
    pub fn token_policy(mut self, policy: TokenPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Stores tokens encrypted, so that they outlive this process and are shared with replicas. Without keys, tokens are
    /// kept in memory only.
    pub fn sealing_keys(mut self, keys: SealingKeys) -> Self {
        self.settings.sealing_keys = Some(keys);
        self
    }

    /// Sets the claims that identify a user. Default: issuer and subject.
    pub fn user_id_claims(mut self, claims: UserIdClaims) -> Self {
        self.user_id_claims = claims;
        self
    }

    /// Gives tokens to Teams users, who are identified by [`UserIdClaims::EntraObject`].
    pub fn teams(mut self, teams: TeamsExchange) -> Self {
        self.teams = Some(teams);
        self
    }

    /// Origins of web pages that may call, such as `https://app.contoso.com`. Default: none.
    pub fn allow_origins(mut self, origins: impl IntoIterator<Item = HeaderValue>) -> Self {
        self.bounds.origins = origins.into_iter().collect();
        self
    }

    /// How many requests a user may send in a minute, all at once or one by one. Default: 120.
    pub fn requests_per_minute(mut self, requests: NonZeroU32) -> Self {
        self.requests_per_minute = requests;
        self
    }

    /// How long an answer may take. Default: 30 seconds.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.bounds.time = timeout;
        self
    }

    /// How many bytes a body may have. Default: 16 KiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.bounds.body = bytes;
        self
    }

    /// Shows in the metrics how many requests wait for these limits, which the client has among its policies.
    pub fn service_limits(mut self, limits: &ServiceLimits) -> Self {
        self.service_limits = Some(limits.clone());
        self
    }

    /// Takes the time by which tokens expire from this clock, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// The service.
    #[must_use]
    pub fn build(self) -> TokenService {
        let waiting = self.service_limits.map(|limits| limits.waiting()).unwrap_or_default();
        let metrics = Arc::new(Metrics::new(waiting));
        let acs = Acs::new(self.identities, metrics.clone());
        let directory = Directory::new(self.store.database, acs.clone(), self.settings, metrics.clone());
        TokenService {
            health: Arc::new(Health::new(directory.clone(), self.guard.clone(), metrics.clone())),
            metrics,
            api: Arc::new(ApiState {
                directory,
                guard: self.guard,
                user_id_claims: self.user_id_claims,
                policy: self.policy,
                rate_limit: RateLimit::per_minute(self.requests_per_minute),
                teams: self.teams,
                acs,
            }),
            bounds: self.bounds,
        }
    }
}
