//! The database: the identities of users, those to delete, and sealed tokens.

mod connect;
mod error;
mod sql;
#[cfg(test)]
mod tests;
mod values;

pub use connect::Store;
pub use error::{StoreError, StoreErrorKind};

use crate::user::UserId;
use async_trait::async_trait;
use azure_communication_identity::CommunicationUserIdentifier;
use std::fmt::Debug;
use time::OffsetDateTime;
use uuid::Uuid;

/// A user's identity, and the number of times that their tokens were revoked.
///
/// A token that was issued under another mapping is not handed out again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) identity: CommunicationUserIdentifier,
    pub(crate) generation: i64,
}

/// The answer to a claim to create a user's identity.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The user has an identity already.
    Mapped(Mapping),
    /// The caller creates the identity.
    Granted {
        /// Set if another claim has ended: its holder may have created an identity.
        taken_over: bool,
    },
    /// Another request, perhaps of another replica, is creating the identity.
    Taken,
}

/// A token as it is stored.
#[derive(Clone, Debug)]
pub(crate) struct SealedToken {
    pub(crate) sealed: Vec<u8>,
    pub(crate) expires_on: OffsetDateTime,
}

/// The operations of a database; each is atomic, over replicas too. Times are of the caller, and kept to the microsecond.
///
/// Ids, and the names of scopes, of more than 512 bytes or with a NUL character are refused.
#[async_trait]
pub(crate) trait Database: Debug + Send + Sync {
    /// Checks that the database answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The user's mapping, if an identity has been stored.
    async fn find(&self, user: &UserId) -> Result<Option<Mapping>, StoreError>;

    /// Claims the creation of the user's identity for the holder `attempt`, from `now` until `until`. A claim that ended by
    /// `now` is taken over.
    async fn claim(
        &self,
        user: &UserId,
        attempt: Uuid,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Claim, StoreError>;

    /// Stores the identity that `attempt` has created. Returns `None` if the claim was taken over, or the user removed: the
    /// identity is among the retired ones then. Storing the same identity again changes nothing.
    async fn complete(
        &self,
        user: &UserId,
        attempt: Uuid,
        identity: &CommunicationUserIdentifier,
        now: OffsetDateTime,
    ) -> Result<Option<Mapping>, StoreError>;

    /// Removes the claim of `attempt`. Returns `false` if it was taken over, or removed with the user.
    async fn release(&self, user: &UserId, attempt: Uuid) -> Result<bool, StoreError>;

    /// Removes the claims that ended by `now`, and returns how many there were.
    async fn release_ended(&self, now: OffsetDateTime) -> Result<u64, StoreError>;

    /// Starts a new generation of the user's tokens and forgets the stored ones.
    async fn forget_tokens(&self, user: &UserId) -> Result<Option<Mapping>, StoreError>;

    /// Removes the user and their tokens; their identity is among the retired ones until it is buried. Returns whether a claim
    /// was removed: its holder may be creating an identity, and [completes](Self::complete) in vain.
    async fn retire(&self, user: &UserId, now: OffsetDateTime) -> Result<bool, StoreError>;

    /// The identities to delete: of this user or, without one, of all users, retired at `before` or earlier,
    /// the oldest first, at most `limit`.
    async fn retired(
        &self,
        user: Option<&UserId>,
        before: OffsetDateTime,
        limit: i64,
    ) -> Result<Vec<CommunicationUserIdentifier>, StoreError>;

    /// Puts a retired identity behind all others, because it could not be deleted `now`.
    async fn postpone(&self, identity: &CommunicationUserIdentifier, now: OffsetDateTime) -> Result<(), StoreError>;

    /// Forgets a retired identity, which has been deleted.
    async fn bury(&self, identity: &CommunicationUserIdentifier) -> Result<(), StoreError>;

    /// The stored token of the user for these scopes, of this mapping's generation.
    async fn token(&self, user: &UserId, scopes: &str, mapping: &Mapping) -> Result<Option<SealedToken>, StoreError>;

    /// Stores a token in place of the one for the same scopes, unless the user's mapping has changed.
    async fn put_token(
        &self,
        user: &UserId,
        scopes: &str,
        mapping: &Mapping,
        token: &SealedToken,
    ) -> Result<(), StoreError>;

    /// Forgets the stored tokens that expired by `now`.
    async fn forget_expired(&self, now: OffsetDateTime) -> Result<(), StoreError>;

    /// Closes the connections, after what is under way.
    async fn close(&self);
}
