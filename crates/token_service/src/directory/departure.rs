//! Revocation of tokens, and removal of users.

use super::Directory;
use crate::{error::ApiError, user::UserId};

/// The most retired identities of one user that one request deletes.
const IDENTITIES: i64 = 100;

impl Directory {
    /// Revokes all tokens of the user, here and at Azure Communication Services: they are signed out everywhere.
    pub(crate) async fn revoke(&self, user: &UserId) -> Result<(), ApiError> {
        let (directory, user) = (self.clone(), user.clone());
        self.to_its_end(async move {
            let slot = directory.slot(&user);
            let _turn = slot.turn().await;
            let forgotten = directory.0.store.delete_tokens(&user).await?;
            slot.forget();
            let mapping = forgotten.ok_or_else(ApiError::no_identity)?;
            directory.0.acs.revoke(&mapping.identity).await?;
            // Another replica may have got a token just before it was revoked, and stored it since.
            directory.0.store.delete_tokens(&user).await?;
            Ok(())
        })
        .await
    }

    /// Removes the user and deletes their identity: in this order, so that no token is asked for an identity that is gone.
    /// An identity that cannot be deleted now stays on a list until the call is repeated or the sweep has deleted it.
    pub(crate) async fn remove(&self, user: &UserId) -> Result<(), ApiError> {
        let (directory, user) = (self.clone(), user.clone());
        self.to_its_end(async move {
            let slot = directory.slot(&user);
            let _turn = slot.turn().await;
            let now = directory.now();
            if directory.0.store.delete_user(&user, now).await? {
                directory.gave_up(1);
            }
            slot.forget();
            for identity in directory.0.store.due_deletions(Some(&user), now, IDENTITIES).await? {
                directory.0.acs.delete(&identity).await?;
                directory.0.store.complete_deletion(&identity).await?;
            }
            Ok(())
        })
        .await
    }
}
