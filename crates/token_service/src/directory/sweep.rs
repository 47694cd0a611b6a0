//! How what crashed or failed half-way is put in order.

use super::{Directory, sign_in::Finish};
use crate::store::StoreError;
use azure_core::time::Duration;
use tracing::info;

/// How long what has to be deleted is left to the request that retired it.
const GRACE: Duration = Duration::minutes(1);

/// How much one sweep does of each kind, so that it ends.
const BATCH: i64 = 500;

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
    /// What could not be put in order yet, and is tried again by the next sweep.
    pub left: usize,
}

impl Directory {
    /// Deletes the identities that removed users have left, finishes or gives up the sign-ins that were not finished, and
    /// forgets expired tokens.
    pub(crate) async fn sweep(&self) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let now = self.now();
        for identity in self.0.store.retired(None, now - GRACE, BATCH).await? {
            if self.0.acs.delete(&identity).await.is_ok() {
                self.0.store.bury(&identity).await?;
                swept.deleted += 1;
            } else {
                swept.left += 1;
            }
        }
        for user in self.0.store.unfinished(now, BATCH).await? {
            match self.finish(&user).await {
                Ok(Finish::Finished) => swept.finished += 1,
                Ok(Finish::GivenUp) => swept.given_up += 1,
                Ok(Finish::Elsewhere) => {}
                Err(_) => swept.left += 1,
            }
        }
        self.0.store.forget_expired(now).await?;
        if swept != Swept::default() {
            let Swept {
                deleted,
                finished,
                given_up,
                left,
            } = swept;
            info!(deleted, finished, given_up, left, "swept");
        }
        Ok(swept)
    }
}
