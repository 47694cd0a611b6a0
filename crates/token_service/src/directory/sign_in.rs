//! How a user gets their one identity.

use super::{Directory, slot::Work};
use crate::{
    acs::{CreationFailed, Left},
    error::ApiError,
    store::{Claim, Granted, Mapping, StoreError},
    user::AppUser,
};
use azure_communication_identity::CommunicationUserIdentifier;
use azure_core::time::Duration as Lifetime;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;
use uuid::Uuid;

/// How long a claim holds. Whoever has not finished by then is taken for dead: a creation with what follows takes less.
const CLAIM: Lifetime = Lifetime::seconds(120);

/// How long a creation may take, if its client allows it that long.
const CREATION: Duration = Duration::from_secs(50);

/// How long to wait for another replica that creates the identity.
const PATIENCE: Duration = Duration::from_secs(10);

/// The pauses between questions whether it has: from the first, twice as long each time, up to the last.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LAST_PAUSE: Duration = Duration::from_millis(500);

/// How often an identity that was created is tried to be stored.
const STORE_ATTEMPTS: u32 = 5;

/// A user's mapping, and whether it has been created now.
#[derive(Debug)]
pub(crate) struct SignedIn {
    pub(crate) mapping: Mapping,
    pub(crate) created: bool,
}

/// What became of a sign-in that was not finished in time.
#[derive(Debug)]
pub(super) enum Finish {
    /// The user has an identity now.
    Finished,
    /// The user has to sign in again.
    GivenUp,
    /// Another request has taken it over.
    Elsewhere,
}

impl Directory {
    /// The user's identity, which is created unless they have one.
    ///
    /// A claim in the database comes first, so that one request of all replicas creates it. The others wait.
    pub(crate) async fn sign_in(&self, user: &AppUser) -> Result<SignedIn, ApiError> {
        let (directory, user) = (self.clone(), user.clone());
        self.to_its_end(async move {
            let slot = directory.slot(&user);
            let mut turn = slot.turn_for(&Work::SignIn).await?;
            turn.note(Work::SignIn, directory.find_or_create(&user).await)
        })
        .await
    }

    /// Finishes a sign-in that was not finished in time, or gives it up.
    pub(super) async fn finish(&self, user: &AppUser) -> Result<Finish, ApiError> {
        let attempt = Uuid::new_v4();
        let now = self.now();
        match self.0.store.claim(user, attempt, now, now + CLAIM).await? {
            Claim::Mapped(_) | Claim::Taken => Ok(Finish::Elsewhere),
            Claim::Granted(granted) if self.0.settings.custom_ids => {
                self.create(user, attempt, granted).await?;
                Ok(Finish::Finished)
            }
            Claim::Granted(_) => {
                self.give_up(user, attempt).await?;
                Ok(Finish::GivenUp)
            }
        }
    }

    async fn find_or_create(&self, user: &AppUser) -> Result<SignedIn, ApiError> {
        let attempt = Uuid::new_v4();
        let started = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            let now = self.now();
            match self.0.store.claim(user, attempt, now, now + CLAIM).await? {
                Claim::Mapped(mapping) => {
                    return Ok(SignedIn {
                        mapping,
                        created: false,
                    });
                }
                Claim::Granted(granted) => {
                    if let Some(mapping) = self.create(user, attempt, granted).await? {
                        return Ok(SignedIn { mapping, created: true });
                    }
                }
                Claim::Taken if started.elapsed() + pause > PATIENCE => return Err(ApiError::signing_in()),
                Claim::Taken => sleep(pause).await,
            }
            pause = LAST_PAUSE.min(pause * 2);
        }
    }

    /// Creates the identity that `attempt` has claimed, and stores it; `None` if another request has taken over in the
    /// meantime, or the user has been removed.
    async fn create(&self, user: &AppUser, attempt: Uuid, granted: Granted) -> Result<Option<Mapping>, ApiError> {
        let custom_id = self.0.settings.custom_ids.then_some(granted.custom_id);
        let created = timeout(CREATION, self.0.acs.create(custom_id)).await;
        let created = created.unwrap_or_else(|_| {
            Err(CreationFailed {
                error: ApiError::timeout(),
                left: Left::Unknown,
            })
        });
        let identity = match created {
            Ok(identity) => identity,
            Err(failed) => {
                if let Err(error) = self.let_go(user, attempt, granted, failed.left).await {
                    warn!(%error, "a claim stays until it ends");
                }
                return Err(failed.error);
            }
        };
        self.0.metrics.signed_in();
        Ok(self.settle(user, attempt, &identity).await?)
    }

    /// Stores what has been created. The database may be away for a moment.
    async fn settle(
        &self,
        user: &AppUser,
        attempt: Uuid,
        identity: &CommunicationUserIdentifier,
    ) -> Result<Option<Mapping>, StoreError> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..STORE_ATTEMPTS {
            match self.0.store.settle(user, attempt, identity, self.now()).await {
                Ok(settled) => return Ok(settled),
                Err(error) => warn!(%error, "an identity that was created could not be stored, and is tried again"),
            }
            sleep(pause).await;
            pause *= 4;
        }
        self.0.store.settle(user, attempt, identity, self.now()).await
    }

    /// Ends a claim under which no identity was stored. Where its custom id may have one, it is left to be taken over.
    async fn let_go(&self, user: &AppUser, attempt: Uuid, granted: Granted, left: Left) -> Result<(), StoreError> {
        match left {
            Left::Nothing if granted.taken_over && self.0.settings.custom_ids => {
                self.0.store.hand_back(user, attempt, self.now()).await
            }
            Left::Nothing if granted.taken_over => self.give_up(user, attempt).await,
            Left::Nothing => self.0.store.abandon(user, attempt).await,
            // The service may still be at it, so nobody takes it over before the claim ends.
            Left::Unknown if self.0.settings.custom_ids => Ok(()),
            Left::Unknown | Left::CustomIdSpoilt => self.give_up(user, attempt).await,
        }
    }

    /// Removes a claim after which an identity may exist that nobody knows.
    async fn give_up(&self, user: &AppUser, attempt: Uuid) -> Result<(), StoreError> {
        self.0.metrics.given_up();
        warn!("the creation of an identity was not finished; there may be one that nobody knows, which holds nothing");
        self.0.store.abandon(user, attempt).await
    }
}
