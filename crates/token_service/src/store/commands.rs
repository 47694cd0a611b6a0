//! Changes of the whole database, which an operator decides on.

use crate::{
    resource::{ResourceId, endpoint_name},
    store::{Renamed, Store, StoreError, StoreErrorKind},
};
use time::OffsetDateTime;
use url::Url;

/// An identity that a database no longer has.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct LeftIdentity {
    /// The id of its user; empty if the identity was due for deletion.
    pub user_id: String,
    /// The raw id of the identity.
    pub identity: String,
}

impl Store {
    /// Forgets every token, in memory and in the database, without revoking any. Each user's next request gets a new one.
    ///
    /// Running services forget theirs at once or, without announcements of PostgreSQL, within five seconds. Returns the
    /// number of stored tokens.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn forget_tokens(&self) -> Result<u64, StoreError> {
        self.database.forget_tokens().await
    }

    /// Gives the users of one issuer to another, in one transaction: they keep their identities. For
    /// [`UserIdClaims::Subject`](crate::UserIdClaims::Subject) only, as the users of Entra ID have no issuer in their ids.
    ///
    /// Returns the number of users. If it is 0, nothing is changed.
    ///
    /// # Arguments
    ///
    /// * `from`, `to` - The issuers, exactly as in the claim `iss`.
    /// * `replace` - Lets a user who is there with both issuers keep the older identity, of `from`. The other one is deleted.
    ///
    /// # Errors
    ///
    /// If the database fails, if a user is there with both issuers and `replace` is not set, or if a new id is too long. Then
    /// nothing is changed.
    pub async fn rename_issuer(&self, from: &str, to: &str, replace: bool) -> Result<u64, StoreError> {
        const OPERATION: &str = "rename the issuer of its users";
        let refused = |reason: String| Err(StoreError::new(OPERATION, StoreErrorKind::InvalidValue, reason));
        if from.is_empty() || to.is_empty() || from == to {
            return refused("it takes two issuers".to_owned());
        }
        let (from, to) = (format!("{from} "), format!("{to} "));
        match self
            .database
            .rename_users(&from, &to, replace, OffsetDateTime::now_utc())
            .await?
        {
            Renamed::Users(users) => Ok(users),
            Renamed::Conflicts(users) => refused(format!(
                "{users} users are there with both issuers, and nothing was changed: with --replace, they keep the identity \
                 of the old issuer, and the one of the new issuer is deleted"
            )),
            Renamed::TooLong => refused("the id of a user would be too long, and nothing was changed".to_owned()),
        }
    }

    /// Gives the database to another Azure Communication Services resource. **It forgets every identity, token and deletion
    /// that is due:** each user gets a new identity at their next sign-in, without their chats. Stop every service first.
    ///
    /// Returns the identities that stay in the old resource, which knows no other list of them.
    ///
    /// # Arguments
    ///
    /// * `from` - The id of the database's resource, as a safeguard.
    /// * `to` - The id of the other resource.
    ///
    /// # Errors
    ///
    /// If the database fails, or has another resource than `from`. Then nothing is changed.
    pub async fn move_resource(&self, from: &str, to: &str) -> Result<Vec<LeftIdentity>, StoreError> {
        const OPERATION: &str = "move to another resource";
        let refused = |reason: String| Err(StoreError::new(OPERATION, StoreErrorKind::InvalidValue, reason));
        let (from, to) = (ResourceId::new(from), ResourceId::new(to));
        match self.database.resource().await? {
            None => return refused("the database has no identity yet, and takes any resource".to_owned()),
            Some(recorded) if recorded != from => {
                return refused(format!(
                    "the database has the identities of resource {recorded}, and not of {from}"
                ));
            }
            Some(_) if from == to => return refused("it takes two resources".to_owned()),
            Some(_) => {}
        }
        let left = self.database.move_resource(&to).await?;
        let left = left.into_iter();
        Ok(left
            .map(|(user_id, identity)| LeftIdentity { user_id, identity })
            .collect())
    }

    /// Returns whether the database has identities of the resource with an endpoint. `None` if it has no identity yet.
    ///
    /// `false` means that this is not known: only an identity of the endpoint shows its resource, and
    /// [`verify_resource`](crate::TokenService::verify_resource) creates one.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn knows_endpoint(&self, endpoint: &Url) -> Result<Option<bool>, StoreError> {
        let Some(recorded) = self.database.resource().await? else {
            return Ok(None);
        };
        let found = self.database.resource_of_endpoint(&endpoint_name(endpoint)).await?;
        Ok(Some(found == Some(recorded)))
    }

    /// Closes the connections when running operations have finished.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
