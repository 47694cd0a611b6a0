//! The life of an identity: claimed, created and completed, or released; deleted with its user, or by the sweep.

use super::{
    AcsCost, Directory,
    cache::{CachedUser, SharedTask},
};
use crate::{
    error::ApiError,
    store::{Claim, Deleted, Mapping, StoreError, StoreErrorKind},
    user::UserId,
};
use azure_communication_identity::CommunicationUserIdentifier;
use azure_core::time::{Duration as Lifetime, OffsetDateTime};
use std::time::Duration;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};
use uuid::Uuid;

/// The validity of a claim. It exceeds the time to create and store an identity, so the holder of an expired one has died.
const CLAIM_TTL: Lifetime = Lifetime::seconds(120);

/// The limit of a creation. The timeout of the identity client is usually shorter.
const CREATION_TIMEOUT: Duration = Duration::from_secs(50);

/// The limit of the wait for another replica's creation.
const CLAIM_TIMEOUT: Duration = Duration::from_secs(10);

/// The first and the longest pause of that wait. Each pause is twice as long as the one before.
const MIN_BACKOFF: Duration = Duration::from_millis(10);
const MAX_BACKOFF: Duration = Duration::from_millis(500);

/// The attempts to claim a creation.
const MAX_CLAIM_ATTEMPTS: u32 = 5;

/// The longest pause between attempts to store a created identity.
const MAX_STORE_BACKOFF: Duration = Duration::from_secs(2);

/// The rest of a claim in which no further attempt to store the identity begins, so that it can be deleted in time.
const STORE_MARGIN: Lifetime = Lifetime::seconds(10);

/// The deletions of one request. A user who often leaves and returns while Azure fails has several.
const MAX_DELETIONS_PER_REQUEST: i64 = 100;

/// The time for which a deletion is left to the request that began it.
const SWEEP_DELAY: Lifetime = Lifetime::minutes(1);

/// The deletions of one sweep, which bound its time.
const MAX_DELETIONS_PER_SWEEP: usize = 100;

/// A user's mapping, new or found.
#[derive(Debug)]
pub(crate) struct UserIdentity {
    pub(crate) mapping: Mapping,
    pub(crate) created: bool,
}

/// The results of a sweep.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Swept {
    /// Identities of deleted users that the sweep deleted.
    pub deleted: usize,
    /// Creations that were not completed in time, and are given up. The next request of each user creates another identity.
    pub given_up: u64,
    /// Identities that could not be deleted. A later sweep retries.
    pub failed: usize,
}

impl Directory {
    /// Returns the user's identity, if they have one.
    pub(crate) async fn find_identity(&self, user: &UserId) -> Result<Option<CommunicationUserIdentifier>, ApiError> {
        let mapping = self.0.store.find(user).await?;
        Ok(mapping.map(|mapping| mapping.identity))
    }

    /// Returns the user's identity, or creates one.
    ///
    /// A claim in the database ensures that one request of all replicas creates it. The others wait.
    pub(crate) async fn find_or_create_identity(&self, user: &UserId) -> Result<UserIdentity, ApiError> {
        let (directory, user) = (self.clone(), user.clone());
        self.run_to_completion(async move {
            let cached = directory.cached(&user);
            let mut lock = cached.lock_for(&SharedTask::CreateIdentity).await?;
            let outcome = directory.claim_identity(&user).await;
            lock.record(SharedTask::CreateIdentity, outcome)
        })
        .await
    }

    async fn claim_identity(&self, user: &UserId) -> Result<UserIdentity, ApiError> {
        let holder = Uuid::new_v4();
        let started = Instant::now();
        let mut backoff = MIN_BACKOFF;
        loop {
            let now = self.now();
            match self.claim(user, holder, now).await? {
                Claim::Completed(mapping) => {
                    return Ok(UserIdentity {
                        mapping,
                        created: false,
                    });
                }
                Claim::Granted { taken_over } => {
                    self.report_given_up(taken_over.into());
                    if let Err(error) = self.charge(user, AcsCost::CREATE) {
                        self.release_claim(user, holder).await;
                        return Err(error);
                    }
                    if let Some(mapping) = self.create_identity(user, holder, now + CLAIM_TTL).await? {
                        return Ok(UserIdentity { mapping, created: true });
                    }
                }
                Claim::Held { until } if started.elapsed() + backoff > CLAIM_TIMEOUT => {
                    // The holder has stopped, or Azure is slow.
                    let wait = Duration::try_from(until - self.now()).unwrap_or_default();
                    return Err(ApiError::signing_in(wait));
                }
                Claim::Held { .. } => sleep(backoff).await,
            }
            backoff = MAX_BACKOFF.min(backoff * 2);
        }
    }

    /// Claims the creation, and retries while the database is unavailable: the response of a claim can be lost, and the next
    /// attempt of the same holder takes that claim up.
    async fn claim(&self, user: &UserId, holder: Uuid, now: OffsetDateTime) -> Result<Claim, StoreError> {
        let mut backoff = MIN_BACKOFF;
        let mut attempts = 1;
        loop {
            match self.0.store.claim(user, holder, now, now + CLAIM_TTL).await {
                Err(error) if error.kind() == StoreErrorKind::Unavailable && attempts < MAX_CLAIM_ATTEMPTS => {
                    warn!(%error, "a claim is tried again");
                }
                Err(error) => {
                    // It may be there after all, and would keep the user out.
                    let (directory, user) = (self.clone(), user.clone());
                    self.0
                        .tasks
                        .spawn(async move { directory.release_claim(&user, holder).await });
                    return Err(error);
                }
                claim => return claim,
            }
            sleep(backoff).await;
            backoff *= 4;
            attempts += 1;
        }
    }

    /// Creates the identity that `holder` claimed `until` a time, and completes or releases the claim. Returns `None` if
    /// another request took the claim over, or the user was deleted.
    async fn create_identity(
        &self,
        user: &UserId,
        holder: Uuid,
        until: OffsetDateTime,
    ) -> Result<Option<Mapping>, ApiError> {
        let identity = match self.0.acs.create(CREATION_TIMEOUT).await {
            Ok(identity) => identity,
            Err(failed) => {
                let released = self.release_claim(user, holder).await;
                self.report_given_up((released && failed.outcome_unknown).into());
                return Err(failed.error);
            }
        };
        if let Err(error) = self.check_created(&identity).await {
            self.release_claim(user, holder).await;
            return Err(error);
        }
        self.0.metrics.signed_in();
        Ok(self.complete_claim(user, holder, &identity, until).await?)
    }

    /// Releases the claim. Returns `false` if it is another holder's, or the database failed.
    async fn release_claim(&self, user: &UserId, holder: Uuid) -> bool {
        let released = self.0.store.release(user, holder).await;
        released.unwrap_or_else(|error| {
            warn!(%error, "a claim stays until it ends");
            false
        })
    }

    /// Completes the claim, and retries until shortly before its end. Then it releases the claim and deletes the identity.
    async fn complete_claim(
        &self,
        user: &UserId,
        holder: Uuid,
        identity: &CommunicationUserIdentifier,
        until: OffsetDateTime,
    ) -> Result<Option<Mapping>, StoreError> {
        let mut backoff = MIN_BACKOFF;
        let mut may_be_stored = false;
        loop {
            let error = match self.0.store.complete(user, holder, identity, self.now()).await {
                Ok(completed) => return Ok(completed),
                Err(error) => error,
            };
            may_be_stored |= error.is_outcome_unknown();
            if error.kind() == StoreErrorKind::InvalidValue || self.now() + backoff > until - STORE_MARGIN {
                // A released claim was not completed. Otherwise, the user may have the identity.
                if self.release_claim(user, holder).await || !may_be_stored {
                    self.0.acs.delete_created(identity).await;
                }
                return Err(error);
            }
            warn!(%error, "an identity that was created could not be stored, and is tried again");
            sleep(backoff).await;
            backoff = MAX_STORE_BACKOFF.min(backoff * 4);
        }
    }

    /// Logs and counts creations whose outcome stays unknown.
    ///
    /// The service has no list of identities, so an identity that was created cannot be found and deleted.
    fn report_given_up(&self, creations: u64) {
        if creations > 0 {
            self.0.metrics.given_up(creations);
            warn!(
                creations,
                "gave up creations of identities: each may have left one without a user, a token or data; if this recurs, \
                 find out why calls to Azure Communication Services break off, or why replicas stop"
            );
        }
    }

    /// Deletes the user, then their identity. In this order, no token is requested for a deleted identity. Requests that
    /// come while one waits share its outcome.
    ///
    /// An identity that cannot be deleted is due for deletion until the call is repeated or the sweep deletes it. Returns
    /// `false` if there was neither a user nor a deletion that was due.
    pub(crate) async fn delete_user(&self, user: &UserId) -> Result<bool, ApiError> {
        const TASK: SharedTask = SharedTask::DeleteUser;
        let cached = self.cached(user);
        let deletion = cached.join(TASK, || {
            let (directory, user, cached) = (self.clone(), user.clone(), cached.clone());
            self.start(async move {
                let mut lock = cached.begin(&TASK).await?;
                lock.record(TASK, directory.delete_user_and_identities(&user, &cached).await)
            })
        });
        deletion.await
    }

    async fn delete_user_and_identities(&self, user: &UserId, cached: &CachedUser) -> Result<bool, ApiError> {
        let now = self.now();
        let store = &self.0.store;
        let deleted = store.delete_user(user, now).await?;
        self.report_given_up((deleted == Deleted::Claim).into());
        cached.clear();
        let due = store.due_deletions(Some(user), now, MAX_DELETIONS_PER_REQUEST).await?;
        let found = deleted != Deleted::Nothing || !due.is_empty();
        for identity in due {
            self.0.acs.delete(&identity).await?;
            store.complete_deletion(&identity).await?;
        }
        Ok(found)
    }

    /// Cleans up after crashes and failures: gives up expired claims, deletes the identities that are due, and deletes
    /// expired tokens. If Azure Communication Services fails, the next sweep goes on.
    pub(crate) async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept {
            given_up: self.0.store.release_expired(self.now()).await?,
            ..Swept::default()
        };
        self.report_given_up(swept.given_up);
        self.0.acs_costs.remove_idle();
        self.delete_due_identities(&mut swept).await?;
        self.0.store.delete_expired_tokens(self.now()).await?;
        if swept != Swept::default() {
            let Swept {
                deleted,
                given_up,
                failed,
            } = swept;
            info!(deleted, given_up, failed, "swept");
        }
        Ok(swept)
    }

    async fn delete_due_identities(&self, swept: &mut Swept) -> Result<(), StoreError> {
        let due_by = self.now() - SWEEP_DELAY;
        for _ in 0..MAX_DELETIONS_PER_SWEEP {
            // One at a time, as other replicas delete them, too.
            let Some(identity) = self.0.store.due_deletions(None, due_by, 1).await?.pop() else {
                break;
            };
            if self.0.acs.delete(&identity).await.is_err() {
                // An identity that is always refused must not block the others.
                self.0.store.postpone_deletion(&identity, self.now()).await?;
                swept.failed += 1;
                break;
            }
            self.0.store.complete_deletion(&identity).await?;
            swept.deleted += 1;
        }
        Ok(())
    }
}
