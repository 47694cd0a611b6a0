//! Creation of a user's one identity.

use super::{Directory, slot::Work};
use crate::{
    acs::CreationFailed,
    error::ApiError,
    store::{Claim, Mapping, StoreError},
    user::UserId,
};
use azure_communication_identity::CommunicationUserIdentifier;
use azure_core::time::Duration as Lifetime;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;
use uuid::Uuid;

/// The time that a claim holds. A holder that has not finished by then is taken for dead: a creation with its storing takes
/// less.
const CLAIM: Lifetime = Lifetime::seconds(120);

/// The time that a creation has, if its client allows it that long.
const CREATION: Duration = Duration::from_secs(50);

/// The time that a request waits for another replica to create the identity.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pauses of that wait: from the first, twice as long each time, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// The attempts to store an identity that was created.
const STORE_ATTEMPTS: u32 = 5;

/// A user's mapping, and whether it has been created now.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) mapping: Mapping,
    pub(crate) created: bool,
}

impl Directory {
    /// The user's identity, which is created unless they have one.
    ///
    /// A claim in the database comes first, so that one request of all replicas creates it. The others wait.
    pub(crate) async fn sign_in(&self, user: &UserId) -> Result<SignedIn, ApiError> {
        let (directory, user) = (self.clone(), user.clone());
        self.to_its_end(async move {
            let slot = directory.slot(&user);
            let mut turn = slot.turn_for(&Work::SignIn).await?;
            turn.note(Work::SignIn, directory.find_or_create(&user).await)
        })
        .await
    }

    /// Counts and logs creations whose outcome is unknown. A claim that ends without its holder's word is one, too.
    ///
    /// The service has no list of identities, so one that was created cannot be found, and is not deleted.
    pub(super) fn gave_up(&self, creations: u64) {
        if creations > 0 {
            self.0.metrics.given_up(creations);
            warn!(
                creations,
                "gave up creations of identities: each may have left one without a user, a token or data; if this recurs, \
                 find out why calls to Azure Communication Services break off, or why replicas stop"
            );
        }
    }

    async fn find_or_create(&self, user: &UserId) -> Result<SignedIn, ApiError> {
        let attempt = Uuid::new_v4();
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let now = self.now();
            match self.0.store.claim(user, attempt, now, now + CLAIM).await? {
                Claim::Completed(mapping) => {
                    return Ok(SignedIn {
                        mapping,
                        created: false,
                    });
                }
                Claim::Granted { taken_over } => {
                    self.gave_up(taken_over.into());
                    if let Some(mapping) = self.create(user, attempt).await? {
                        return Ok(SignedIn { mapping, created: true });
                    }
                }
                Claim::Held if started.elapsed() + pause > PATIENCE => return Err(ApiError::signing_in()),
                Claim::Held => sleep(pause).await,
            }
            pause = LAST_PAUSE.min(pause * 2);
        }
    }

    /// Creates the identity that `attempt` has claimed, and stores it. Returns `None` if another request has taken over
    /// meanwhile, or the user has been removed.
    async fn create(&self, user: &UserId, attempt: Uuid) -> Result<Option<Mapping>, ApiError> {
        let created = timeout(CREATION, self.0.acs.create()).await;
        let created = created.unwrap_or_else(|_| {
            Err(CreationFailed {
                error: ApiError::timeout(),
                outcome_unknown: true,
            })
        });
        let identity = match created {
            Ok(identity) => identity,
            Err(failed) => {
                match self.0.store.release(user, attempt).await {
                    Ok(released) => self.gave_up((released && failed.outcome_unknown).into()),
                    Err(error) => warn!(%error, "a claim stays until it ends"),
                }
                return Err(failed.error);
            }
        };
        self.0.metrics.signed_in();
        Ok(self.complete(user, attempt, &identity).await?)
    }

    /// Stores what has been created. The database may be away for a moment.
    async fn complete(
        &self,
        user: &UserId,
        attempt: Uuid,
        identity: &CommunicationUserIdentifier,
    ) -> Result<Option<Mapping>, StoreError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..STORE_ATTEMPTS {
            match self.0.store.complete(user, attempt, identity, self.now()).await {
                Ok(completed) => return Ok(completed),
                Err(error) => warn!(%error, "an identity that was created could not be stored, and is tried again"),
            }
            sleep(pause).await;
            pause *= 4;
        }
        self.0.store.complete(user, attempt, identity, self.now()).await
    }
}
