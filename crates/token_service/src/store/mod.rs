//! What is remembered of users: which identity is theirs, what is still to be cleaned up, and their sealed tokens.

mod connect;
mod error;
mod sql;
#[cfg(test)]
mod tests;
mod values;

pub use connect::Store;
pub use error::{StoreError, StoreErrorKind};

use crate::user::AppUser;
use async_trait::async_trait;
use azure_communication_identity::CommunicationUserIdentifier;
use std::fmt::Debug;
use time::OffsetDateTime;
use uuid::Uuid;

/// Which identity is a user's, and how often their tokens have been revoked.
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
    /// There is one already.
    Mapped(Mapping),
    /// Whoever claimed creates it.
    Granted(Granted),
    /// Another request, perhaps of another replica, is creating it.
    Taken,
}

/// A claim that was granted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Granted {
    /// What the identity is created with: the same again after a creation that was not finished.
    pub(crate) custom_id: Uuid,
    /// Whether somebody else has claimed it before, and may have created an identity.
    pub(crate) taken_over: bool,
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
    /// Whether the database answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The user's mapping, if an identity has been stored.
    async fn find(&self, user: &AppUser) -> Result<Option<Mapping>, StoreError>;

    /// Claims the creation of the user's identity for the holder `attempt`, until `until`. A claim of another holder that
    /// ended by `now` is taken over, and so is its custom id.
    async fn claim(
        &self,
        user: &AppUser,
        attempt: Uuid,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Claim, StoreError>;

    /// Stores the identity that `attempt` has created. The answer is `None` if the claim is no longer theirs, or the user has
    /// been removed: the identity is nobody's then, and stands among the retired ones. If whoever took the claim over has stored the same identity,
    /// by the same custom id, it stays the user's.
    async fn settle(
        &self,
        user: &AppUser,
        attempt: Uuid,
        identity: &CommunicationUserIdentifier,
        now: OffsetDateTime,
    ) -> Result<Option<Mapping>, StoreError>;

    /// Gives up the claim of `attempt`, which has created nothing, nor has who held it before with the same custom id.
    async fn abandon(&self, user: &AppUser, attempt: Uuid) -> Result<(), StoreError>;

    /// Ends the claim of `attempt` by `now`, for another one to take over with its custom id.
    async fn hand_back(&self, user: &AppUser, attempt: Uuid, now: OffsetDateTime) -> Result<(), StoreError>;

    /// The users whose claims ended by `now`, the oldest first, at most `limit`.
    async fn unfinished(&self, now: OffsetDateTime, limit: i64) -> Result<Vec<AppUser>, StoreError>;

    /// Starts a new generation of the user's tokens and forgets the stored ones.
    async fn forget_tokens(&self, user: &AppUser) -> Result<Option<Mapping>, StoreError>;

    /// Removes the user, and with them their tokens; their identity stands among the retired ones until it is buried. One that
    /// is being created is nobody's when it is: whoever finishes the claim finds out.
    async fn retire(&self, user: &AppUser, now: OffsetDateTime) -> Result<(), StoreError>;

    /// The identities that are left to be deleted: of this user or, without one, of everybody, since `before` or longer,
    /// the oldest first, at most `limit`.
    async fn retired(
        &self,
        user: Option<&AppUser>,
        before: OffsetDateTime,
        limit: i64,
    ) -> Result<Vec<CommunicationUserIdentifier>, StoreError>;

    /// Puts a retired identity behind all others, because it could not be deleted `now`.
    async fn postpone(&self, identity: &CommunicationUserIdentifier, now: OffsetDateTime) -> Result<(), StoreError>;

    /// Forgets a retired identity, which has been deleted.
    async fn bury(&self, identity: &CommunicationUserIdentifier) -> Result<(), StoreError>;

    /// The stored token of the user for these scopes, of this mapping's generation.
    async fn token(&self, user: &AppUser, scopes: &str, mapping: &Mapping) -> Result<Option<SealedToken>, StoreError>;

    /// Stores a token in the place of the one for the same scopes, unless the user's mapping is another one by now.
    async fn put_token(
        &self,
        user: &AppUser,
        scopes: &str,
        mapping: &Mapping,
        token: &SealedToken,
    ) -> Result<(), StoreError>;

    /// Forgets the stored tokens that expired by `now`.
    async fn forget_expired(&self, now: OffsetDateTime) -> Result<(), StoreError>;

    /// Closes the connections, after what is under way.
    async fn close(&self);
}
