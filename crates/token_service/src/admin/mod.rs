//! The operations of operators, on any user and on assignments of Teams Phone.

mod access;
mod records;

pub use access::AdminAccess;
pub use records::{AssignmentRecord, DeletionPage, UserPage};

use crate::{
    acs::Acs,
    audit::{Action, Actor, ActorKind, AuditLog, Entry},
    directory::Directory,
    error::ApiError,
    store::{Database, DueDeletion, DuePlace, UserRecord},
    user::{IssuerAliases, UserId},
};
use azure_communication_identity::{CommunicationUserIdentifier, TeamsExtensionAssignmentId, TeamsExtensionPrincipal};
use std::{
    fmt::{self, Debug, Display, Formatter},
    num::NonZeroU16,
    sync::Arc,
};

/// The records of a page of an export, which bound its memory.
const EXPORT_PAGE: i64 = 500;

/// The operations of operators, in the name of an actor. Each writes a line to the audit log: an event of the target
/// `token_service::audit`.
#[derive(Clone, Debug)]
pub struct Admin {
    shared: Administration,
    actor: Actor,
}

/// The parts that operators' operations share.
#[derive(Clone, Debug)]
pub(crate) struct Administration {
    pub(crate) store: Arc<dyn Database>,
    pub(crate) directory: Directory,
    pub(crate) acs: Acs,
    pub(crate) issuer_aliases: IssuerAliases,
    pub(crate) audit: AuditLog,
}

/// The users of a database, page by page. See [`Admin::export`].
///
/// Its line of the audit log is written when it is dropped.
pub struct UserExport {
    store: Arc<dyn Database>,
    entry: Entry,
    after: Option<String>,
}

/// A failure of an operator's operation. It shows no id.
#[derive(Clone, Debug)]
pub struct AdminError(ApiError);

impl Administration {
    /// Returns the operations in the name of an actor.
    pub(crate) fn of(&self, actor: Actor) -> Admin {
        Admin {
            shared: self.clone(),
            actor,
        }
    }

    /// Writes the line of a request that was refused, within a limit, and returns its failure.
    pub(crate) async fn refuse(&self, actor: Actor, action: Action, error: ApiError) -> ApiError {
        self.audit.refuse(actor, action, &error).await;
        error
    }
}

impl Admin {
    pub(crate) fn of_command(shared: &Administration, name: &str) -> Self {
        shared.of(Actor::new(ActorKind::Command, Some(name.to_owned()), None))
    }

    /// Returns a user.
    ///
    /// # Arguments
    ///
    /// * `id` - The user's id, which has a space: issuer and subject or, for Entra ID, tenant and object. Or their identity.
    ///
    /// # Errors
    ///
    /// `no_user` if there is no such user. `database` if the database fails.
    pub async fn user(&self, id: &str) -> Result<UserRecord, AdminError> {
        let mut entry = self.begin(Action::ShowUser).await;
        let found = self.find(id, &mut entry).await;
        Ok(entry.finish(found)?)
    }

    /// Returns a page of users, in the order of their ids.
    ///
    /// # Arguments
    ///
    /// * `after` - The [`next`](UserPage::next) of the page before.
    /// * `limit` - The most users of the page.
    ///
    /// # Errors
    ///
    /// `database` if the database fails.
    pub async fn users(&self, after: Option<&str>, limit: NonZeroU16) -> Result<UserPage, AdminError> {
        let mut entry = self.begin(Action::ListUsers).await;
        let listed = self
            .shared
            .store
            .list_users(stored(after.unwrap_or_default()), i64::from(limit.get()) + 1)
            .await;
        let listed = listed.map_err(ApiError::from).map(|mut users| {
            let next = cut_page(&mut users, limit, |user| user.user_id.clone());
            entry.count(users.len());
            UserPage { users, next }
        });
        Ok(entry.finish(listed)?)
    }

    /// Begins to export all users. Users who come or go meanwhile may be among them.
    pub async fn export(&self) -> UserExport {
        UserExport {
            store: self.shared.store.clone(),
            entry: self.begin(Action::ExportUsers).await,
            after: Some(String::new()),
        }
    }

    /// Deletes a user, then their identity, as their own request does. It can be repeated while the deletion of the identity
    /// is due.
    ///
    /// # Arguments
    ///
    /// * `id` - As for [`user`](Self::user).
    ///
    /// # Errors
    ///
    /// `no_user` if there is neither such a user nor a deletion of theirs that is due. A failure of Azure Communication
    /// Services leaves the identity due for deletion.
    pub async fn delete_user(&self, id: &str) -> Result<(), AdminError> {
        let mut entry = self.begin_change(Action::DeleteUser).await?;
        let deleted = async {
            let user = self.user_id(id, &mut entry).await?;
            let found = self.shared.directory.delete_user(&user).await?;
            found.then_some(()).ok_or_else(ApiError::no_user)
        };
        let deleted = deleted.await;
        Ok(entry.finish(deleted)?)
    }

    /// Revokes all tokens of a user, which signs them out everywhere.
    ///
    /// # Arguments
    ///
    /// * `id` - As for [`user`](Self::user).
    ///
    /// # Errors
    ///
    /// `no_user` or `no_identity` if the user has no identity. Failures of the database and of Azure Communication Services.
    pub async fn revoke_tokens(&self, id: &str) -> Result<(), AdminError> {
        let mut entry = self.begin_change(Action::RevokeTokens).await?;
        let revoked = async {
            let user = self.user_id(id, &mut entry).await?;
            self.shared.directory.revoke_tokens(&user).await
        };
        let revoked = revoked.await;
        Ok(entry.finish(revoked)?)
    }

    /// Returns a page of the identities that are due for deletion, the oldest first.
    ///
    /// # Arguments
    ///
    /// * `after` - The [`next`](DeletionPage::next) of the page before.
    /// * `limit` - The most identities of the page.
    ///
    /// # Errors
    ///
    /// `bad_request` if `after` is not of another page. `database` if the database fails.
    pub async fn deletions(&self, after: Option<&str>, limit: NonZeroU16) -> Result<DeletionPage, AdminError> {
        let after = match after {
            Some(after) => DuePlace::parse(stored(after)),
            None => Some(DuePlace::FIRST),
        };
        let after = after.ok_or_else(|| ApiError::bad_request("after must be `next` of the page before"))?;
        let mut entry = self.begin(Action::ListDeletions).await;
        let listed = self
            .shared
            .store
            .list_deletions(after, i64::from(limit.get()) + 1)
            .await;
        let listed = listed.map_err(ApiError::from).map(|mut deletions| {
            let next = cut_page(&mut deletions, limit, DueDeletion::place);
            entry.count(deletions.len());
            DeletionPage { deletions, next }
        });
        Ok(entry.finish(listed)?)
    }

    /// Returns the assignment of Teams Phone of a principal.
    ///
    /// # Errors
    ///
    /// `no_assignment` if the principal has no assignment. Failures of Azure Communication Services.
    pub async fn assignment(&self, id: &TeamsExtensionAssignmentId) -> Result<AssignmentRecord, AdminError> {
        let mut entry = self.begin(Action::ShowAssignment).await;
        entry.user(&principal_id(id));
        let found = self.shared.acs.assignment(id).await;
        Ok(entry.finish(found)?.into())
    }

    /// Creates or replaces the assignment of Teams Phone of a principal. Returns whether it is new, too.
    ///
    /// # Errors
    ///
    /// `database` if the key of the audit log is not available. Failures of Azure Communication Services.
    pub async fn put_assignment(
        &self,
        id: &TeamsExtensionAssignmentId,
        principal: &TeamsExtensionPrincipal,
    ) -> Result<(AssignmentRecord, bool), AdminError> {
        let mut entry = self.begin_change(Action::PutAssignment).await?;
        entry.user(&principal_id(id));
        let put = self.shared.acs.put_assignment(id, principal).await;
        let (assignment, is_new) = entry.finish(put)?;
        Ok((assignment.into(), is_new))
    }

    /// Deletes the assignment of Teams Phone of a principal, which revokes the principal's tokens. It can be repeated.
    ///
    /// # Errors
    ///
    /// `database` if the key of the audit log is not available. Failures of Azure Communication Services.
    pub async fn delete_assignment(&self, id: &TeamsExtensionAssignmentId) -> Result<(), AdminError> {
        let mut entry = self.begin_change(Action::DeleteAssignment).await?;
        entry.user(&principal_id(id));
        let deleted = self.shared.acs.delete_assignment(id).await;
        Ok(entry.finish(deleted)?)
    }

    /// Returns the text that stands for an id in the audit log unless this shows ids: the first half, in hexadecimal
    /// digits, of HMAC-SHA-256 under a key of the database.
    ///
    /// # Errors
    ///
    /// `database` if the database fails.
    pub async fn hash(&self, id: &str) -> Result<String, AdminError> {
        Ok(self.shared.audit.hash(&self.shared.issuer_aliases.known_id(id)).await?)
    }

    async fn begin(&self, action: Action) -> Entry {
        self.shared.audit.begin(self.actor.clone(), action).await
    }

    async fn begin_change(&self, action: Action) -> Result<Entry, ApiError> {
        self.shared.audit.begin_change(self.actor.clone(), action).await
    }

    /// Returns the id of a user, who may be unknown, or that of an identity's user.
    async fn user_id(&self, id: &str, entry: &mut Entry) -> Result<UserId, ApiError> {
        if id.contains(' ') {
            return self.known_id(id, entry);
        }
        let user = self.find(id, entry).await?;
        UserId::new(user.user_id).map_err(|_| ApiError::no_user())
    }

    async fn find(&self, id: &str, entry: &mut Entry) -> Result<UserRecord, ApiError> {
        let store = &self.shared.store;
        let found = if id.contains(' ') {
            store.find_user(&self.known_id(id, entry)?).await?
        } else {
            entry.identity(id);
            let identity = CommunicationUserIdentifier::new(stored(id)).map_err(|_| ApiError::no_user())?;
            let found = store.find_user_of(&identity).await?;
            if let Some(user) = &found {
                entry.user(&user.user_id);
            }
            found
        };
        found.ok_or_else(ApiError::no_user)
    }

    fn known_id(&self, id: &str, entry: &mut Entry) -> Result<UserId, ApiError> {
        let id = self.shared.issuer_aliases.known_id(id);
        entry.user(&id);
        // No user can have an id that is too long.
        UserId::new(id).map_err(|_| ApiError::no_user())
    }
}

impl UserExport {
    /// Returns the next users, in the order of their ids, or `None` after the last ones.
    ///
    /// # Errors
    ///
    /// `database` if the database fails.
    pub async fn next_page(&mut self) -> Result<Option<Vec<UserRecord>>, AdminError> {
        let Some(after) = self.after.take() else {
            return Ok(None);
        };
        let listed = self.store.list_users(&after, EXPORT_PAGE).await;
        let users = listed
            .map_err(ApiError::from)
            .inspect_err(|error| self.entry.failed(error))?;
        self.entry.count(users.len());
        let Some(last) = users.last() else {
            self.entry.done();
            return Ok(None);
        };
        self.after = Some(last.user_id.clone());
        Ok(Some(users))
    }
}

impl AdminError {
    /// Returns the reason, as the routes below `/admin` have it.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.0.reason()
    }
}

/// Returns the id of a principal, which is that of a user of Entra ID.
fn principal_id(id: &TeamsExtensionAssignmentId) -> String {
    format!("{} {}", id.tenant_id, id.object_id)
}

/// Returns the part of a text before a NUL character, which PostgreSQL does not have. No text is between the two.
fn stored(text: &str) -> &str {
    text.split('\0').next().unwrap_or_default()
}

/// Shortens the records to a page. Returns the value of `after` for the next one, if there are more.
fn cut_page<T>(records: &mut Vec<T>, limit: NonZeroU16, place: impl FnOnce(&T) -> String) -> Option<String> {
    let limit = usize::from(limit.get());
    let has_more = records.len() > limit;
    records.truncate(limit);
    records.last().filter(|_| has_more).map(place)
}

impl From<ApiError> for AdminError {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl From<AdminError> for ApiError {
    fn from(error: AdminError) -> Self {
        error.0
    }
}

impl Display for AdminError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.message())
    }
}

impl std::error::Error for AdminError {}

/// Hides the ids.
impl Debug for UserExport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserExport")
            .field("entry", &self.entry)
            .finish_non_exhaustive()
    }
}
