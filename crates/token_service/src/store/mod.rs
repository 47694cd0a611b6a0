//! The database: claims, identities, deletions that are due, and sealed tokens.

mod commands;
mod connect;
mod error;
mod listener;
mod migrations;
mod password;
mod records;
mod sql;
mod sql_commands;
mod sql_records;
#[cfg(test)]
mod tests;

pub use commands::LeftIdentity;
pub use error::{StoreError, StoreErrorKind};
pub(crate) use records::DuePlace;
pub use records::{DueDeletion, UserRecord};

use crate::{resource::ResourceId, user::UserId};
use async_trait::async_trait;
use azure_communication_identity::CommunicationUserIdentifier;
use std::{fmt::Debug, sync::Arc};
use time::OffsetDateTime;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

/// A database of users' identities and sealed tokens, in SQLite or PostgreSQL. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) database: Arc<dyn Database>,
    /// The task that renews the password, until the last clone is dropped.
    _renewal: Option<Arc<AbortOnDropHandle<()>>>,
}

/// A user's identity, and the generation of its tokens, which each revocation increments.
///
/// A token that was issued under another mapping is not handed out again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Mapping {
    pub(crate) identity: CommunicationUserIdentifier,
    pub(crate) generation: i64,
}

/// The outcome of a claim to create a user's identity.
#[derive(Debug)]
pub(crate) enum Claim {
    /// The user has an identity.
    Completed(Mapping),
    /// The holder creates the identity.
    Granted {
        /// Set if the claim replaces an expired one, whose holder may have created an identity.
        taken_over: bool,
    },
    /// Another holder is creating the identity, or has stopped half-way.
    Held {
        /// The time at which the claim ends.
        until: OffsetDateTime,
    },
}

/// The row of a deleted user.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Deleted {
    /// There was no row.
    Nothing,
    /// A claim, whose holder may be creating an identity that cannot be [completed](Database::complete).
    Claim,
    /// An identity, which is now due for deletion.
    Identity,
}

/// An encrypted token.
#[derive(Clone, Debug)]
pub(crate) struct SealedToken {
    pub(crate) sealed: Vec<u8>,
    pub(crate) expires_on: OffsetDateTime,
}

/// The connections of a database.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Connections {
    /// The most connections that may be open.
    pub(crate) max: u32,
    pub(crate) open: u32,
    /// The open connections that no operation uses.
    pub(crate) idle: u32,
    /// The operations that wait for a connection.
    pub(crate) waiting: u32,
    /// The operations that got no connection, since the start.
    pub(crate) failed: u64,
}

/// The rows of a database that wait for work.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Backlog {
    /// The identities that are due for deletion.
    pub(crate) deletions: i64,
    /// The claims, also those that have expired.
    pub(crate) claims: i64,
    /// The claims that have expired, which the sweep releases.
    pub(crate) expired_claims: i64,
}

/// A change of users' mappings.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'c> {
    /// The mapping of the user with this id.
    User(&'c str),
    /// Any number of mappings, or changes that were not announced.
    Any,
}

/// The outcome of a renaming.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Renamed {
    /// The number of renamed users.
    Users(u64),
    /// The number of users who are there with both ids. Nothing was changed.
    Conflicts(u64),
    /// A new id would be too long. Nothing was changed.
    TooLong,
}

/// The operations of a database. Each is atomic, also across replicas. The caller provides the time, which is stored in
/// microseconds.
///
/// An identity is claimed, then completed or released. With its user, it is deleted: it is due for deletion until Azure
/// Communication Services has deleted it.
///
/// Identities and lists of scopes of more than 512 bytes, or with a NUL character, are refused.
#[async_trait]
pub(crate) trait Database: Debug + Send + Sync {
    /// Checks that the database answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Returns the state of the connections, without waiting.
    fn connections(&self) -> Connections;

    /// Counts what waits for work at `now`.
    async fn backlog(&self, now: OffsetDateTime) -> Result<Backlog, StoreError>;

    /// Returns the user's mapping, if the identity is completed.
    async fn find(&self, user: &UserId) -> Result<Option<Mapping>, StoreError>;

    /// Claims the creation of the user's identity for `holder`, from `now` to `until`. A claim that expired by `now` is
    /// taken over. A repetition by the same holder, after a lost response, is granted again.
    async fn claim(
        &self,
        user: &UserId,
        holder: Uuid,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Claim, StoreError>;

    /// Stores the identity that `holder` created. Returns `None` if the claim was taken over or deleted; the identity is due
    /// for deletion then. Completing with the same identity again changes nothing.
    async fn complete(
        &self,
        user: &UserId,
        holder: Uuid,
        identity: &CommunicationUserIdentifier,
        now: OffsetDateTime,
    ) -> Result<Option<Mapping>, StoreError>;

    /// Removes the claim of `holder`. Returns `false` if it was taken over or deleted.
    async fn release(&self, user: &UserId, holder: Uuid) -> Result<bool, StoreError>;

    /// Removes the claims that expired by `now`, and returns their number.
    async fn release_expired(&self, now: OffsetDateTime) -> Result<u64, StoreError>;

    /// Deletes the user and their tokens. Their identity becomes due for deletion.
    async fn delete_user(&self, user: &UserId, now: OffsetDateTime) -> Result<Deleted, StoreError>;

    /// Returns the identities that became due for deletion by `now`, the oldest first and at most `limit`; those of one
    /// user, or of all.
    async fn due_deletions(
        &self,
        user: Option<&UserId>,
        now: OffsetDateTime,
        limit: i64,
    ) -> Result<Vec<CommunicationUserIdentifier>, StoreError>;

    /// Moves a failed deletion behind all others, as of `now`.
    async fn postpone_deletion(
        &self,
        identity: &CommunicationUserIdentifier,
        now: OffsetDateTime,
    ) -> Result<(), StoreError>;

    /// Removes an identity from those that are due for deletion.
    async fn complete_deletion(&self, identity: &CommunicationUserIdentifier) -> Result<(), StoreError>;

    /// Returns the user's token for these scopes, if it is of this mapping.
    async fn find_token(
        &self,
        user: &UserId,
        scopes: &str,
        mapping: &Mapping,
    ) -> Result<Option<SealedToken>, StoreError>;

    /// Stores the user's token for these scopes, unless their mapping has changed.
    async fn put_token(
        &self,
        user: &UserId,
        scopes: &str,
        mapping: &Mapping,
        token: &SealedToken,
    ) -> Result<(), StoreError>;

    /// Deletes the user's tokens and increments their generation. Returns the new mapping, if the user has an identity.
    async fn delete_tokens(&self, user: &UserId) -> Result<Option<Mapping>, StoreError>;

    /// Deletes the tokens that expired by `now`.
    async fn delete_expired_tokens(&self, now: OffsetDateTime) -> Result<(), StoreError>;

    /// Returns a user with an identity or a claim.
    async fn find_user(&self, user: &UserId) -> Result<Option<UserRecord>, StoreError>;

    /// Returns the user who has an identity.
    async fn find_user_of(&self, identity: &CommunicationUserIdentifier) -> Result<Option<UserRecord>, StoreError>;

    /// Returns the users behind an id, in the order of their ids and at most `limit`. The empty text is before all ids.
    async fn list_users(&self, after: &str, limit: i64) -> Result<Vec<UserRecord>, StoreError>;

    /// Returns the deletions that are due behind a place, the oldest first and at most `limit`.
    async fn list_deletions(&self, after: DuePlace<'_>, limit: i64) -> Result<Vec<DueDeletion>, StoreError>;

    /// Returns the key of the audit log, and records the candidate if the database has no key.
    async fn audit_key(&self, candidate: &str) -> Result<String, StoreError>;

    /// Returns the resource whose identities the database has. `None` before the first identity.
    async fn resource(&self) -> Result<Option<ResourceId>, StoreError>;

    /// Records the resource and one of its endpoints, unless another resource is recorded. Returns the recorded one.
    async fn record_resource(&self, resource: &ResourceId, endpoint: &str) -> Result<ResourceId, StoreError>;

    /// Returns the resource of an endpoint, if it is recorded.
    async fn resource_of_endpoint(&self, endpoint: &str) -> Result<Option<ResourceId>, StoreError>;

    /// Forgets all users, tokens and deletions, and records another resource. Returns the users and identities that were
    /// forgotten; an identity that was due for deletion has an empty user.
    async fn move_resource(&self, to: &ResourceId) -> Result<Vec<(String, String)>, StoreError>;

    /// Deletes all tokens and increments all generations. Returns the number of tokens.
    async fn forget_tokens(&self) -> Result<u64, StoreError>;

    /// Replaces the beginning `from` of users' ids. Users who have the new id are an error or, with `replace`, deleted.
    async fn rename_users(
        &self,
        from: &str,
        to: &str,
        replace: bool,
        now: OffsetDateTime,
    ) -> Result<Renamed, StoreError>;

    /// Calls `on_change` for the changes that any replica makes, until the connection breaks. Never returns for SQLite, where
    /// no replica can know of the changes of another.
    async fn listen(&self, on_change: &(dyn for<'c> Fn(Change<'c>) + Send + Sync)) -> Result<(), StoreError>;

    /// Closes the connections when running operations have finished.
    async fn close(&self);
}
