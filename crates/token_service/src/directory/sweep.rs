//! How what crashed or failed half-way is put in order.

use super::{Directory, sign_in::Finish};
use crate::store::StoreError;
use azure_core::time::Duration;
use tracing::info;

/// How long what has to be deleted is left to the request that retired it.
const GRACE: Duration = Duration::minutes(1);

/// How much one sweep does of each kind, so that it ends.
const BATCH: i64 = 100;

/// What a sweep has put in order.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Swept {
    /// Identities of removed users that have been deleted now.
    pub deleted: usize,
    /// Sign-ins that a crash had left, and that have been finished now.
    pub finished: usize,
    /// Sign-ins that a crash had left, and that were given up.
    pub given_up: usize,
    /// What could not be put in order, and is tried again by a later sweep.
    pub failed: usize,
}

impl Directory {
    /// Finishes or gives up the sign-ins that were not finished, deletes the identities that removed users have left, and
    /// forgets expired tokens. When Azure Communication Services fails, the rest waits for the next sweep.
    pub(crate) async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        self.finish_sign_ins(&mut swept).await?;
        self.delete_retired(&mut swept).await?;
        self.0.store.forget_expired(self.now()).await?;
        if swept != Swept::default() {
            let Swept {
                deleted,
                finished,
                given_up,
                failed,
            } = swept;
            info!(deleted, finished, given_up, failed, "swept");
        }
        Ok(swept)
    }

    async fn finish_sign_ins(&self, swept: &mut Swept) -> Result<(), StoreError> {
        for user in self.0.store.unfinished(self.now(), BATCH).await? {
            match self.finish(&user).await {
                Ok(Finish::Finished) => swept.finished += 1,
                Ok(Finish::GivenUp) => swept.given_up += 1,
                Ok(Finish::Elsewhere) => {}
                Err(_) => {
                    swept.failed += 1;
                    break;
                }
            }
        }
        Ok(())
    }

    async fn delete_retired(&self, swept: &mut Swept) -> Result<(), StoreError> {
        let before = self.now() - GRACE;
        for _ in 0..BATCH {
            // One by one, as one that is listed could be stored as a user's in the meantime.
            let Some(identity) = self.0.store.retired(None, before, 1).await?.pop() else {
                break;
            };
            if self.0.acs.delete(&identity).await.is_err() {
                // Behind the others, so that one that is refused for ever holds up none of them.
                self.0.store.postpone(&identity, self.now()).await?;
                swept.failed += 1;
                break;
            }
            self.0.store.bury(&identity).await?;
            swept.deleted += 1;
        }
        Ok(())
    }
}
