//! The service and its builder.

use crate::{
    acs::Acs,
    admin::{Admin, AdminAccess, Administration},
    audit::AuditLog,
    directory::{Directory, Settings, Swept, VerifyError},
    layers::{self, RequestLimits},
    metrics::{ConnectionMetrics, Metrics},
    policy::TokenPolicy,
    rate_limit::RateLimit,
    routes::{self, ApiState, Health},
    seal::{CredentialFingerprint, SealingKeys},
    service_limits::ServiceLimits,
    store::{Store, StoreError},
    teams::{TeamsExchange, TeamsPhoneExchange},
    user::{IssuerAliases, UserIdClaims},
};
use axum::{Router, http::HeaderValue};
use azure_communication_identity::CommunicationIdentityClient;
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use token_guard::{Clock, TokenGuard};
use tokio::{
    join,
    time::{MissedTickBehavior, interval},
};
use tracing::warn;

const SWEEP_INTERVAL: Duration = Duration::from_mins(1);

const DEFAULT_REQUESTS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(119);
const DEFAULT_FRESH_TOKENS_PER_HOUR: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
const DEFAULT_ACS_COSTS_PER_HOUR: NonZeroU32 = NonZeroU32::MIN.saturating_add(59);

/// The trusted service that issues tokens of Azure Communication Services to the users of an app. Clones share one service.
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
/// tokio::spawn(async move { service.sweep_forever().await });
/// # let _: axum::Router = app;
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct TokenService {
    api: Arc<ApiState>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    request_limits: RequestLimits,
}

/// Builds a [`TokenService`].
#[derive(Debug)]
#[must_use]
pub struct TokenServiceBuilder {
    identities: CommunicationIdentityClient,
    guard: TokenGuard,
    store: Store,
    settings: Settings,
    policy: TokenPolicy,
    user_id_claims: UserIdClaims,
    issuer_aliases: IssuerAliases,
    teams: Option<TeamsExchange>,
    admin: Option<AdminAccess>,
    audit_shows_ids: bool,
    teams_phone: Option<TeamsPhoneExchange>,
    requests_per_minute: NonZeroU32,
    fresh_tokens_per_hour: NonZeroU32,
    acs_costs_per_hour: NonZeroU32,
    service_limits: Option<ServiceLimits>,
    request_limits: RequestLimits,
}

impl TokenService {
    /// Starts to build a service.
    ///
    /// # Arguments
    ///
    /// * `identities` - The client of the Azure Communication Services resource. [`ServiceLimits`] keep it within the
    ///   service's limits. Set its `timeout` below the request timeout, and its `max_retry_after` far below, so that callers
    ///   get the service's error rather than a timeout.
    /// * `guard` - The guard that checks callers' tokens.
    /// * `store` - The database of users' identities.
    pub fn builder(identities: CommunicationIdentityClient, guard: TokenGuard, store: Store) -> TokenServiceBuilder {
        TokenServiceBuilder {
            identities,
            guard,
            store,
            settings: Settings::default(),
            policy: TokenPolicy::default(),
            user_id_claims: UserIdClaims::default(),
            issuer_aliases: IssuerAliases::default(),
            teams: None,
            admin: None,
            audit_shows_ids: false,
            teams_phone: None,
            requests_per_minute: DEFAULT_REQUESTS_PER_MINUTE,
            fresh_tokens_per_hour: DEFAULT_FRESH_TOKENS_PER_HOUR,
            acs_costs_per_hour: DEFAULT_ACS_COSTS_PER_HOUR,
            service_limits: None,
            request_limits: RequestLimits {
                timeout: Duration::from_secs(30),
                body_bytes: 16 * 1024,
                origins: Vec::new(),
                allow_private_network: false,
            },
        }
    }

    /// Verifies that the database belongs to the resource of the identity client. Call it before the service gets requests.
    ///
    /// The database remembers the resource of its first identity. At an endpoint that it does not know yet, this creates an
    /// identity and deletes it, as only identities show their resource. If Azure Communication Services does not answer, it
    /// logs a warning, and the first creation of an identity checks it.
    ///
    /// # Errors
    ///
    /// [`VerifyError::Mismatch`] if the database has the identities of another resource, with the ids of both.
    pub async fn verify_resource(&self) -> Result<(), VerifyError> {
        self.api.directory.verify_resource().await
    }

    /// Returns the API, with its description at `/openapi.json`.
    pub fn routes(&self) -> Router {
        let api = routes::api(self.api.clone());
        layers::add(api, self.request_limits.clone(), self.metrics.clone())
    }

    /// Returns the routes for operations: `/healthz`, `/readyz` and `/metrics`.
    pub fn operations(&self) -> Router {
        routes::operations(self.health.clone())
    }

    /// Returns the metrics of the connections of a listener, which the server of [`routes`](Self::routes) keeps.
    ///
    /// # Arguments
    ///
    /// * `listener` - The name of the listener, a label in `/metrics`.
    #[must_use]
    pub fn connection_metrics(&self, listener: &'static str) -> ConnectionMetrics {
        self.metrics.http_connections(listener)
    }

    /// Returns the operations of operators on any user, with or without [routes](TokenServiceBuilder::admin) for them.
    ///
    /// # Arguments
    ///
    /// * `actor` - The name of the program or its user, which the audit log shows.
    #[must_use]
    pub fn admin(&self, actor: &str) -> Admin {
        Admin::of_command(&self.api.admin, actor)
    }

    /// Cleans up after crashes and failures: gives up creations that were not completed in time, deletes identities of
    /// deleted users, and deletes expired tokens.
    ///
    /// # Errors
    ///
    /// If the database fails. A failure of Azure Communication Services counts in [`Swept::failed`].
    pub async fn sweep(&self) -> Result<Swept, StoreError> {
        self.api.rate_limit.remove_idle();
        self.api.fresh_limit.remove_idle();
        self.api.directory.sweep().await
    }

    /// [Sweeps](Self::sweep) once a minute, and never returns. Meanwhile, it takes up what other replicas announce by NOTIFY
    /// of PostgreSQL: revoked tokens and deleted users leave the cache at once. Otherwise they leave it within five seconds.
    pub async fn sweep_forever(&self) {
        join!(self.sweep_each_minute(), self.api.directory.follow_changes());
    }

    async fn sweep_each_minute(&self) {
        let mut interval = interval(SWEEP_INTERVAL);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            if let Err(error) = self.sweep().await {
                warn!(%error, "the sweep stopped half-way, and is tried again");
            }
        }
    }

    /// Makes `/readyz` answer 503, so that a load balancer sends requests elsewhere.
    pub fn drain(&self) {
        self.health.drain();
    }

    /// Waits for work whose caller has disconnected, and closes the database. Call it after the server has stopped.
    pub async fn close(&self) {
        self.api.directory.close().await;
    }
}

impl TokenServiceBuilder {
    /// Sets the policy for tokens. Default: chat and calling for 24 hours.
    pub fn token_policy(mut self, policy: TokenPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Stores tokens, encrypted, so that they outlive this process and replicas share them. Without keys, tokens are cached in
    /// memory only.
    ///
    /// # Arguments
    ///
    /// * `keys` - The keys that encrypt.
    /// * `issued_with` - The fingerprint of the identity client's credential. Stored tokens of another one are not used.
    pub fn sealing_keys(mut self, keys: SealingKeys, issued_with: CredentialFingerprint) -> Self {
        self.settings.sealing_keys = Some((keys, issued_with));
        self
    }

    /// Sets the claims that identify a user. Default: issuer and subject.
    pub fn user_id_claims(mut self, claims: UserIdClaims) -> Self {
        self.user_id_claims = claims;
        self
    }

    /// Gives an issuer other names, such as its former address. A subject is the same user under each. The guard must accept
    /// tokens of all of them, and the same organization must issue them. For [`UserIdClaims::Subject`] only.
    ///
    /// # Arguments
    ///
    /// * `issuer` - The issuer as in the claim `iss`, by which the database knows its users.
    /// * `aliases` - Its other names.
    pub fn issuer_aliases<A: Into<String>>(mut self, issuer: &str, aliases: impl IntoIterator<Item = A>) -> Self {
        self.issuer_aliases = IssuerAliases {
            issuer: issuer.to_owned(),
            aliases: aliases.into_iter().map(Into::into).collect(),
        };
        self
    }

    /// Enables tokens for Teams users, who are identified by [`UserIdClaims::EntraObject`].
    pub fn teams(mut self, teams: TeamsExchange) -> Self {
        self.teams = Some(teams);
        self
    }

    /// Enables the routes below `/admin`, for these callers. Default: no such routes.
    pub fn admin(mut self, access: AdminAccess) -> Self {
        self.admin = Some(access);
        self
    }

    /// Shows the ids of users, identities and operators in the audit log, in the place of [hashes](Admin::hash). Default:
    /// false.
    pub fn audit_ids(mut self, shown: bool) -> Self {
        self.audit_shows_ids = shown;
        self
    }

    /// Enables tokens of Teams Phone for Teams users, who are identified by [`UserIdClaims::EntraObject`].
    pub fn teams_phone(mut self, teams_phone: TeamsPhoneExchange) -> Self {
        self.teams_phone = Some(teams_phone);
        self
    }

    /// Allows web pages of these origins to call, such as `https://app.contoso.com`. Default: no origin.
    pub fn allow_origins(mut self, origins: impl IntoIterator<Item = HeaderValue>) -> Self {
        self.request_limits.origins = origins.into_iter().collect();
        self
    }

    /// Allows the pages of [`allow_origins`](Self::allow_origins) to call from the public internet if the service is in a
    /// private network, by [Private Network Access](https://wicg.github.io/private-network-access/). Default: false.
    pub fn allow_private_network(mut self, allow: bool) -> Self {
        self.request_limits.allow_private_network = allow;
        self
    }

    /// Limits the requests of a user in a minute, which can come all at once. Default: 120.
    pub fn requests_per_minute(mut self, requests: NonZeroU32) -> Self {
        self.requests_per_minute = requests;
        self
    }

    /// Limits the fresh tokens of a user in an hour, which can be requested all at once. Default: 10.
    pub fn fresh_tokens_per_hour(mut self, tokens: NonZeroU32) -> Self {
        self.fresh_tokens_per_hour = tokens;
        self
    }

    /// Limits what a user can cause at Azure Communication Services in an hour, whose limits all users share. Default: 60.
    ///
    /// A token costs 1, an exchange for Teams or Teams Phone 2, a revocation 4, and an identity 8, with its later deletion. What comes from
    /// the cache costs nothing.
    pub fn acs_costs_per_hour(mut self, costs: NonZeroU32) -> Self {
        self.acs_costs_per_hour = costs;
        self
    }

    /// Limits the time of a request. Default: 30 seconds.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_limits.timeout = timeout;
        self
    }

    /// Limits the bytes of a request's body. Default: 16 KiB.
    pub fn body_limit(mut self, bytes: usize) -> Self {
        self.request_limits.body_bytes = bytes;
        self
    }

    /// Adds the number of requests that wait for these limits to the metrics. The client must have them among its policies.
    pub fn service_limits(mut self, limits: &ServiceLimits) -> Self {
        self.service_limits = Some(limits.clone());
        self
    }

    /// Sets the clock by which tokens and claims expire, for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.settings.clock = clock;
        self
    }

    /// Builds the service.
    #[must_use]
    pub fn build(self) -> TokenService {
        let waiting = self.service_limits.map(|limits| limits.waiting()).unwrap_or_default();
        let metrics = Arc::new(Metrics::new(waiting));
        let acs = Acs::new(self.identities, metrics.clone());
        let costs = RateLimit::of_acs_costs(self.acs_costs_per_hour);
        let admin_store = self.store.database.clone();
        let directory = Directory::new(self.store.database, acs.clone(), self.settings, costs, metrics.clone());
        TokenService {
            health: Arc::new(Health::new(directory.clone(), self.guard.clone(), metrics.clone())),
            metrics,
            api: Arc::new(ApiState {
                admin: Administration {
                    directory: directory.clone(),
                    acs: acs.clone(),
                    issuer_aliases: self.issuer_aliases.clone(),
                    audit: AuditLog::new(admin_store.clone(), self.audit_shows_ids),
                    store: admin_store,
                },
                admin_access: self.admin,
                directory,
                guard: self.guard,
                user_id_claims: self.user_id_claims,
                issuer_aliases: self.issuer_aliases,
                policy: self.policy,
                rate_limit: RateLimit::of_requests(self.requests_per_minute),
                fresh_limit: RateLimit::of_fresh_tokens(self.fresh_tokens_per_hour),
                teams: self.teams,
                teams_phone: self.teams_phone,
                acs,
            }),
            request_limits: self.request_limits,
        }
    }
}
