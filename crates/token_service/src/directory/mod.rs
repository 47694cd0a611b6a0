//! Users' identities and tokens, in memory, in the database and at Azure Communication Services.

mod cache;
mod identities;
mod resource;
mod tokens;

pub use identities::Swept;
pub use resource::VerifyError;
pub(crate) use tokens::UserToken;

use crate::{
    acs::Acs,
    error::ApiError,
    metrics::Metrics,
    rate_limit::RateLimit,
    resource::ResourceId,
    seal::{CredentialFingerprint, SealingKeys},
    store::{Backlog, Change, Connections, Database},
    trace::in_current_trace,
    user::UserId,
};
use azure_core::time::OffsetDateTime;
use cache::CachedUser;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use moka::{policy::EvictionPolicy, sync::Cache};
use std::{
    fmt::{self, Debug, Formatter},
    num::NonZeroU32,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};
use token_guard::Clock;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span, debug, info, warn};

const MAX_CACHED_USERS: u64 = 100_000;

/// The time after which an idle user leaves the cache.
const CACHED_USER_TTL: Duration = Duration::from_hours(24);

/// The first and the longest pause before another connection listens for changes.
const MIN_LISTEN_PAUSE: Duration = Duration::from_secs(1);
const MAX_LISTEN_PAUSE: Duration = Duration::from_secs(30);

/// The cost of a call to Azure Communication Services, in shares of its limits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AcsCost(NonZeroU32);

impl AcsCost {
    /// A token, of 1000 in 30 seconds.
    const ISSUE: Self = Self(NonZeroU32::MIN);
    /// The exchange of a Teams user's token, also for Teams Phone, of 500 in 30 seconds.
    pub(crate) const EXCHANGE: Self = Self(NonZeroU32::MIN.saturating_add(1));
    /// A revocation, of 500 in 30 seconds, and the tokens that are issued after it.
    pub(crate) const REVOKE: Self = Self(NonZeroU32::MIN.saturating_add(3));
    /// An identity, and its deletion, which is always granted.
    const CREATE: Self = Self(NonZeroU32::MIN.saturating_add(7));
}

/// Finds, creates and deletes identities and tokens. Clones share one directory.
#[derive(Clone)]
pub(crate) struct Directory(Arc<Shared>);

struct Shared {
    store: Arc<dyn Database>,
    acs: Acs,
    settings: Settings,
    /// The limit on what each user causes at Azure Communication Services.
    acs_costs: RateLimit,
    metrics: Arc<Metrics>,
    cache: Cache<UserId, Arc<CachedUser>>,
    /// Grows when any mapping in the cache may be outdated.
    epoch: AtomicU64,
    /// The resource of the database, once it is known.
    resource: OnceLock<ResourceId>,
    /// The limit on warnings of stored tokens that cannot be decrypted.
    unreadable_warnings: DefaultDirectRateLimiter,
    tasks: TaskTracker,
}

/// The settings of a [`Directory`].
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// The keys that encrypt stored tokens, and the credential that these are issued with. Without keys, none is stored.
    pub(crate) sealing_keys: Option<(SealingKeys, CredentialFingerprint)>,
    /// The clock for the expiry of tokens and claims.
    pub(crate) clock: Clock,
}

impl Directory {
    pub(crate) fn new(
        store: Arc<dyn Database>,
        acs: Acs,
        settings: Settings,
        acs_costs: RateLimit,
        metrics: Arc<Metrics>,
    ) -> Self {
        // LRU admits every new user. moka's default keeps the most frequent ones.
        let cache = Cache::builder()
            .max_capacity(MAX_CACHED_USERS)
            .time_to_idle(CACHED_USER_TTL)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self(Arc::new(Shared {
            store,
            acs,
            settings,
            acs_costs,
            metrics,
            cache,
            epoch: AtomicU64::default(),
            resource: OnceLock::new(),
            unreadable_warnings: RateLimiter::direct(Quota::per_hour(NonZeroU32::MIN)),
            tasks: TaskTracker::new(),
        }))
    }

    /// Checks that the database answers.
    pub(crate) async fn ping(&self) -> Result<(), ApiError> {
        Ok(self.0.store.ping().await?)
    }

    /// Returns the state of the database's connections.
    pub(crate) fn connections(&self) -> Connections {
        self.0.store.connections()
    }

    /// Counts the deletions and claims that wait for work.
    pub(crate) async fn backlog(&self) -> Result<Backlog, ApiError> {
        Ok(self.0.store.backlog(self.now()).await?)
    }

    /// Waits for running work, and closes the database.
    pub(crate) async fn close(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.store.close().await;
    }

    /// Charges a user for a call to Azure Communication Services.
    pub(crate) fn charge(&self, user: &UserId, cost: AcsCost) -> Result<(), ApiError> {
        self.0.acs_costs.charge(user, cost.0)
    }

    /// Follows the changes that other replicas announce, and never returns.
    pub(crate) async fn follow_changes(&self) {
        let failing = AtomicBool::new(false);
        let on_change = |change: Change<'_>| match change {
            Change::User(id) => {
                let user = UserId::new(id.to_owned()).ok();
                if let Some(cached) = user.and_then(|user| self.0.cache.get(&user)) {
                    cached.recheck();
                }
            }
            Change::Any => {
                // A new connection announces itself so.
                if failing.swap(false, Ordering::Relaxed) {
                    info!("the changes of other replicas are announced again");
                }
                self.0.epoch.fetch_add(1, Ordering::Relaxed);
            }
        };
        let mut pause = MIN_LISTEN_PAUSE;
        loop {
            let started = Instant::now();
            if let Err(error) = self.0.store.listen(&on_change).await {
                if failing.swap(true, Ordering::Relaxed) {
                    debug!(%error, "the changes of other replicas are still not announced");
                } else {
                    warn!(
                        %error,
                        "the changes of other replicas are not announced, and are found within five seconds until they are again"
                    );
                }
            }
            if started.elapsed() > MAX_LISTEN_PAUSE {
                pause = MIN_LISTEN_PAUSE;
            }
            sleep(pause).await;
            pause = MAX_LISTEN_PAUSE.min(pause * 2);
        }
    }

    fn epoch(&self) -> u64 {
        self.0.epoch.load(Ordering::Relaxed)
    }

    fn cached(&self, user: &UserId) -> Arc<CachedUser> {
        self.0.cache.get_with_by_ref(user, Arc::default)
    }

    fn now(&self) -> OffsetDateTime {
        self.0.settings.clock.now().into()
    }

    /// Runs `work` to completion even if the caller is cancelled.
    async fn run_to_completion<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.start(work).await
    }

    /// Starts `work`, and returns its outcome.
    fn start<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> impl Future<Output = Result<T, ApiError>> + Send + 'static {
        let work = in_current_trace(work.instrument(Span::current()));
        let work = self.0.tasks.spawn(work);
        async { work.await.unwrap_or_else(|_| Err(ApiError::internal())) }
    }
}

/// Hides the users.
impl Debug for Directory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}
