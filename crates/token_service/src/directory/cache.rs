//! The cached mapping and tokens of one user, and the lock for looking up more.

use crate::{error::ApiError, policy::Grant, store::Mapping};
use azure_communication_identity::CommunicationAccessToken;
use azure_core::time::{Duration, OffsetDateTime};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex as SyncMutex, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::Instant,
};

/// The time for which a mapping is used without asking the database. It bounds how long a token is handed out that another
/// replica has revoked.
const MAPPING_TTL: Duration = Duration::seconds(5);

/// The remaining lifetime that a token must exceed to be handed out. The clients of Azure Communication Services refresh ten
/// minutes before the expiry.
const MIN_REMAINING_LIFETIME: Duration = Duration::minutes(15);

/// The cached state of one user.
#[derive(Debug, Default)]
pub(crate) struct CachedUser {
    state: RwLock<Option<State>>,
    /// The number of announced changes of the mapping.
    changes: AtomicU64,
    lock: Arc<Mutex<LastFailure>>,
    /// The work that waits for the lock, at most one of each task.
    waiting: SyncMutex<Vec<(SharedTask, SharedWork)>>,
}

/// Work whose outcome several requests share: whether there was something to do.
pub(crate) type SharedWork = Shared<BoxFuture<'static, Result<bool, ApiError>>>;

#[derive(Debug)]
struct State {
    mapping: Mapping,
    checked_at: Checked,
    tokens: HashMap<Grant, Arc<CommunicationAccessToken>>,
}

/// The time of the last check of a mapping, the epoch of the cache, and the changes of the mapping that were announced before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Checked {
    pub(crate) at: OffsetDateTime,
    pub(crate) epoch: u64,
    pub(crate) changes: u64,
}

/// The lock of a user. Its holder may ask the database or Azure Communication Services about that user.
pub(crate) type UserLock = OwnedMutexGuard<LastFailure>;

/// The failure of the last holder of a [`UserLock`], which concurrent requests for the same task share.
#[derive(Debug, Default)]
pub(crate) struct LastFailure(Option<Failure>);

#[derive(Debug)]
struct Failure {
    task: SharedTask,
    at: Instant,
    error: ApiError,
}

/// A task whose failure concurrent requests share.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum SharedTask {
    CreateIdentity,
    GetToken(Grant),
    RevokeTokens,
    DeleteUser,
}

impl CachedUser {
    /// Waits for the user's lock.
    pub(crate) async fn lock(&self) -> UserLock {
        self.lock.clone().lock_owned().await
    }

    /// Waits for the user's lock to do `task`. Returns the failure of the same task if it failed during the wait, so that
    /// concurrent requests do not retry one after another.
    pub(crate) async fn lock_for(&self, task: &SharedTask) -> Result<UserLock, ApiError> {
        let requested_at = Instant::now();
        let lock = self.lock().await;
        match &lock.0 {
            Some(failure) if failure.task == *task && failure.at >= requested_at => Err(failure.error.clone()),
            _ => Ok(lock),
        }
    }

    /// Joins the work that waits to do `task`, or starts it. Work that has [begun](Self::begin) is not joined, as it may have
    /// missed what happened before this request.
    pub(crate) fn join<F>(&self, task: SharedTask, start: impl FnOnce() -> F) -> SharedWork
    where
        F: Future<Output = Result<bool, ApiError>> + Send + 'static,
    {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        // Work that has panicked is still listed.
        waiting.retain(|(_, work)| work.peek().is_none());
        if let Some((_, work)) = waiting.iter().find(|(waiting, _)| *waiting == task) {
            return work.clone();
        }
        let work = start().boxed().shared();
        waiting.push((task, work.clone()));
        work
    }

    /// Waits for the user's lock as [`lock_for`](Self::lock_for) does, in work that others can [join](Self::join) until then.
    pub(crate) async fn begin(&self, task: &SharedTask) -> Result<UserLock, ApiError> {
        let lock = self.lock_for(task).await;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(waiting, _)| waiting != task);
        lock
    }

    /// Returns the mapping and a usable token, if the mapping was checked within [`MAPPING_TTL`].
    pub(crate) fn token(&self, grant: &Grant, now: Checked) -> Option<(Mapping, Arc<CommunicationAccessToken>)> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let state = state.as_ref().filter(|state| state.is_current(now))?;
        Some((state.mapping.clone(), state.token(grant, now.at)?))
    }

    /// Caches the mapping of the database, and returns a usable token of it. Tokens of another mapping are dropped.
    pub(crate) fn set_mapping(
        &self,
        mapping: &Mapping,
        grant: &Grant,
        now: Checked,
    ) -> Option<Arc<CommunicationAccessToken>> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            Some(state) if state.mapping == *mapping => {
                state.checked_at = now;
                state.token(grant, now.at)
            }
            _ => {
                *state = Some(State {
                    mapping: mapping.clone(),
                    checked_at: now,
                    tokens: HashMap::new(),
                });
                None
            }
        }
    }

    /// Caches a token of this mapping, and drops unusable ones.
    pub(crate) fn insert(
        &self,
        mapping: &Mapping,
        grant: Grant,
        token: Arc<CommunicationAccessToken>,
        now: OffsetDateTime,
    ) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(state) = state.as_mut().filter(|state| state.mapping == *mapping) {
            state.tokens.retain(|_, token| is_usable(token.expires_on, now));
            state.tokens.insert(grant, token);
        }
    }

    /// Asks the database at the next request, as the mapping may have changed. A check that has begun does not count.
    pub(crate) fn recheck(&self) {
        self.changes.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the number of changes that were announced.
    pub(crate) fn changes(&self) -> u64 {
        self.changes.load(Ordering::Relaxed)
    }

    /// Drops the mapping and all tokens.
    pub(crate) fn clear(&self) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl State {
    fn is_current(&self, now: Checked) -> bool {
        // A clock that was set back makes the age negative.
        let is_recent = (Duration::ZERO..MAPPING_TTL).contains(&(now.at - self.checked_at.at));
        is_recent && self.checked_at.epoch == now.epoch && self.checked_at.changes == now.changes
    }

    fn token(&self, grant: &Grant, now: OffsetDateTime) -> Option<Arc<CommunicationAccessToken>> {
        let token = self.tokens.get(grant)?;
        is_usable(token.expires_on, now).then(|| token.clone())
    }
}

impl LastFailure {
    /// Records the outcome of a task. A failure of the service or its dependencies is shared; one of the caller is not.
    pub(crate) fn record<T>(&mut self, task: SharedTask, outcome: Result<T, ApiError>) -> Result<T, ApiError> {
        let shared = outcome.as_ref().err().filter(|error| error.is_upstream());
        self.0 = shared.map(|error| Failure {
            task,
            at: Instant::now(),
            error: error.clone(),
        });
        outcome
    }
}

/// Returns whether a token lasts long enough to be handed out.
pub(crate) fn is_usable(expires_on: OffsetDateTime, now: OffsetDateTime) -> bool {
    expires_on - now > MIN_REMAINING_LIFETIME
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_communication_identity::{CommunicationTokenScope, CommunicationUserIdentifier};

    fn now(cached: &CachedUser) -> Checked {
        Checked {
            at: OffsetDateTime::UNIX_EPOCH,
            epoch: 0,
            changes: cached.changes(),
        }
    }

    #[test]
    fn change_during_a_check_is_noticed() {
        let cached = CachedUser::default();
        let grant = Grant::new(&[CommunicationTokenScope::Chat].into(), Duration::hours(24));
        let mapping = Mapping {
            identity: CommunicationUserIdentifier::new("8:acs:one").unwrap(),
            generation: 1,
        };
        let token = CommunicationAccessToken::new("token", OffsetDateTime::UNIX_EPOCH + Duration::hours(24));
        let token = Arc::new(token);
        // The first check finds no state in the cache, and the second one does.
        for _ in 0..2 {
            let checked = now(&cached);
            cached.recheck();
            cached.set_mapping(&mapping, &grant, checked);
            cached.insert(&mapping, grant.clone(), token.clone(), checked.at);
            assert!(cached.token(&grant, now(&cached)).is_none());
        }
        let checked = now(&cached);
        assert!(cached.set_mapping(&mapping, &grant, checked).is_some());
        assert!(cached.token(&grant, now(&cached)).is_some());
        cached.recheck();
        assert!(cached.token(&grant, now(&cached)).is_none());
    }
}
