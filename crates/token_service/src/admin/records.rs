//! Pages of records, and assignments of Teams Phone.

use crate::store::{DueDeletion, UserRecord};
use azure_communication_identity::TeamsExtensionAssignment;
use serde::Serialize;
use utoipa::ToSchema;

/// Users, in the order of their ids.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct UserPage {
    /// The users.
    pub users: Vec<UserRecord>,
    /// The value of `after` for the next page. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// Identities that are due for deletion, the oldest first.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct DeletionPage {
    /// The identities.
    pub deletions: Vec<DueDeletion>,
    /// The value of `after` for the next page. Absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// An assignment of Teams Phone, which admits a Teams user or resource account to the resource.
#[derive(Clone, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
#[schema(as = Assignment)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentRecord {
    /// The Entra tenant of the principal.
    #[schema(example = "aaaabbbb-0000-cccc-1111-dddd2222eeee")]
    pub tenant_id: String,
    /// The Entra object id of the principal.
    #[schema(example = "00001111-aaaa-2222-bbbb-3333cccc4444")]
    pub object_id: String,
    /// The kind of the principal.
    #[schema(example = "user")]
    pub principal_type: String,
    /// The applications that a user may sign in with.
    pub client_ids: Vec<String>,
}

impl From<TeamsExtensionAssignment> for AssignmentRecord {
    fn from(assignment: TeamsExtensionAssignment) -> Self {
        Self {
            tenant_id: assignment.id.tenant_id.to_string(),
            object_id: assignment.id.object_id.to_string(),
            principal_type: assignment.principal.principal_type.to_string(),
            client_ids: assignment.principal.client_ids,
        }
    }
}
