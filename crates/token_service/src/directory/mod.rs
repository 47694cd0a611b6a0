//! Users' identities and tokens, in memory, in the database and at Azure Communication Services.

mod cache;
mod identities;
mod resource;
mod tokens;

pub use identities::Swept;
pub use resource::VerifyError;
pub(crate) use tokens::UserToken;

use crate::{
    acs::Acs, error::ApiError, metrics::Metrics, resource::ResourceId, seal::SealingKeys, store::Database, user::UserId,
};
use azure_core::time::OffsetDateTime;
use cache::CachedUser;
use moka::{policy::EvictionPolicy, sync::Cache};
use std::{
    fmt::{self, Debug, Formatter},
    sync::{Arc, OnceLock},
    time::Duration,
};
use token_guard::Clock;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

const MAX_CACHED_USERS: u64 = 100_000;

/// The time after which an idle user leaves the cache.
const CACHED_USER_TTL: Duration = Duration::from_hours(24);

/// Finds, creates and deletes identities and tokens. Clones share one directory.
#[derive(Clone)]
pub(crate) struct Directory(Arc<Shared>);

struct Shared {
    store: Arc<dyn Database>,
    acs: Acs,
    settings: Settings,
    metrics: Arc<Metrics>,
    cache: Cache<UserId, Arc<CachedUser>>,
    /// The resource of the database, once it is known.
    resource: OnceLock<ResourceId>,
    tasks: TaskTracker,
}

/// The settings of a [`Directory`].
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// The keys that encrypt stored tokens. Without keys, no token is stored.
    pub(crate) sealing_keys: Option<SealingKeys>,
    /// The clock for the expiry of tokens and claims.
    pub(crate) clock: Clock,
}

impl Directory {
    pub(crate) fn new(store: Arc<dyn Database>, acs: Acs, settings: Settings, metrics: Arc<Metrics>) -> Self {
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
            metrics,
            cache,
            resource: OnceLock::new(),
            tasks: TaskTracker::new(),
        }))
    }

    /// Checks that the database answers.
    pub(crate) async fn ping(&self) -> Result<(), ApiError> {
        Ok(self.0.store.ping().await?)
    }

    /// Waits for running work, and closes the database.
    pub(crate) async fn close(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.store.close().await;
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
        let work = self.0.tasks.spawn(work.instrument(Span::current()));
        work.await.unwrap_or_else(|_| Err(ApiError::internal()))
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
