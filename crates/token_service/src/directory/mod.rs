//! Users, their identities and their tokens: in memory, in the database and at Azure Communication Services.

mod departure;
mod sign_in;
mod slot;
mod sweep;
mod tokens;

pub use sweep::Swept;
pub(crate) use tokens::UserToken;

use crate::{acs::Acs, error::ApiError, metrics::Metrics, seal::SealingKeys, store::Database, user::UserId};
use azure_communication_identity::CommunicationUserIdentifier;
use azure_core::time::OffsetDateTime;
use moka::{policy::EvictionPolicy, sync::Cache};
use slot::Slot;
use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
    time::Duration,
};
use token_guard::Clock;
use tokio_util::task::TaskTracker;
use tracing::{Instrument, Span};

/// The most users that a process remembers, and the time after which it forgets those who do not come back.
const SLOTS: u64 = 100_000;
const SLOT_IDLE: Duration = Duration::from_hours(24);

/// Finds, creates and removes what users have. Its clones are the same directory.
#[derive(Clone)]
pub(crate) struct Directory(Arc<Parts>);

/// The parts of a [`Directory`].
struct Parts {
    store: Arc<dyn Database>,
    acs: Acs,
    settings: Settings,
    metrics: Arc<Metrics>,
    slots: Cache<UserId, Arc<Slot>>,
    tasks: TaskTracker,
}

/// The settings of a [`Directory`].
#[derive(Debug, Default)]
pub(crate) struct Settings {
    /// The keys that tokens are stored with. Without keys, no token is stored.
    pub(crate) sealing_keys: Option<SealingKeys>,
    /// The time that the end of tokens and claims is judged by.
    pub(crate) clock: Clock,
}

impl Directory {
    pub(crate) fn new(store: Arc<dyn Database>, acs: Acs, settings: Settings, metrics: Arc<Metrics>) -> Self {
        // The latest users are remembered, so that frequent ones do not keep others out.
        let slots = Cache::builder()
            .max_capacity(SLOTS)
            .time_to_idle(SLOT_IDLE)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        Self(Arc::new(Parts {
            store,
            acs,
            settings,
            metrics,
            slots,
            tasks: TaskTracker::new(),
        }))
    }

    /// Checks that the database answers.
    pub(crate) async fn ping(&self) -> Result<(), ApiError> {
        Ok(self.0.store.ping().await?)
    }

    /// Waits for what is under way, and closes the database.
    pub(crate) async fn close(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
        self.0.store.close().await;
    }

    /// The user's identity, if they have one.
    pub(crate) async fn identity(&self, user: &UserId) -> Result<Option<CommunicationUserIdentifier>, ApiError> {
        let mapping = self.0.store.find(user).await?;
        Ok(mapping.map(|mapping| mapping.identity))
    }

    fn slot(&self, user: &UserId) -> Arc<Slot> {
        self.0.slots.get_with_by_ref(user, Arc::default)
    }

    fn now(&self) -> OffsetDateTime {
        self.0.settings.clock.now().into()
    }

    /// Runs `work` to completion even if the caller is cancelled.
    async fn to_its_end<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
    ) -> Result<T, ApiError> {
        let work = self.0.tasks.spawn(work.instrument(Span::current()));
        work.await.unwrap_or_else(|_| Err(ApiError::internal()))
    }
}

/// Shows no users.
impl Debug for Directory {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("store", &self.0.store)
            .finish_non_exhaustive()
    }
}
