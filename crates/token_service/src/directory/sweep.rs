//! Cleaning up after crashes and failures.

use super::Directory;
use crate::store::StoreError;
use azure_core::time::Duration;
use tracing::info;

/// The time that an identity is left to the request that retired it.
const GRACE: Duration = Duration::minutes(1);

/// The most identities that one sweep deletes, so that it ends.
const BATCH: usize = 100;

/// The work that a sweep has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Swept {
    /// Identities of removed users that have been deleted now.
    pub deleted: usize,
    /// Creations that were not finished in time, and are given up: the next request of each user creates another identity.
    pub given_up: u64,
    /// Identities that could not be deleted now, for a later sweep to retry.
    pub failed: usize,
}

impl Directory {
    /// Gives up creations that were not finished in time, deletes the identities that removed users have left, and forgets
    /// expired tokens. When Azure Communication Services fails, the rest waits for the next sweep.
    pub(crate) async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept {
            given_up: self.0.store.release_expired(self.now()).await?,
            ..Swept::default()
        };
        self.gave_up(swept.given_up);
        self.delete_retired(&mut swept).await?;
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

    async fn delete_retired(&self, swept: &mut Swept) -> Result<(), StoreError> {
        let before = self.now() - GRACE;
        for _ in 0..BATCH {
            // One by one, as other replicas delete them too.
            let Some(identity) = self.0.store.due_deletions(None, before, 1).await?.pop() else {
                break;
            };
            if self.0.acs.delete(&identity).await.is_err() {
                // Behind the others, so that one that is refused for ever holds up none of them.
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
