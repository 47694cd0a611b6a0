//! An assignment, and whom it admits.

use crate::tokens::EntraUserClaims;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An assignment in the service's JSON form.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Assignment {
    /// The object id of the principal.
    pub(crate) object_id: Uuid,
    pub(crate) tenant_id: Uuid,
    pub(crate) principal_type: PrincipalType,
    /// The applications through which the principal may come; `None` for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) client_ids: Option<Vec<Uuid>>,
}

/// The kind of principal that an assignment is for. The wider kinds come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PrincipalType {
    User,
    ResourceAccount,
    /// What Microsoft's how-to writes for a resource account.
    TeamsResourceAccount,
    Group,
    /// Every user of the tenant.
    Tenant,
}

impl Assignment {
    /// Whether the other assignment is for the same principal.
    pub(crate) fn has_principal_of(&self, other: &Self) -> bool {
        let principal = |assignment: &Self| (assignment.principal_type, assignment.tenant_id, assignment.object_id);
        principal(self) == principal(other)
    }

    /// Whether the user of an Entra ID token may use the resource through the application that asked for the token.
    pub(crate) fn admits(&self, user: &EntraUserClaims) -> bool {
        self.tenant_id == user.tid && self.includes(user) && self.allows(user.application)
    }

    fn includes(&self, user: &EntraUserClaims) -> bool {
        match self.principal_type {
            PrincipalType::User | PrincipalType::ResourceAccount | PrincipalType::TeamsResourceAccount => {
                self.object_id == user.oid
            }
            PrincipalType::Group => user.groups.contains(&self.object_id),
            PrincipalType::Tenant => true,
        }
    }

    fn allows(&self, application: Uuid) -> bool {
        match self.principal_type {
            PrincipalType::ResourceAccount | PrincipalType::TeamsResourceAccount => true,
            PrincipalType::User | PrincipalType::Group | PrincipalType::Tenant => {
                let client_ids = self.client_ids.as_ref();
                client_ids.is_none_or(|client_ids| client_ids.contains(&application))
            }
        }
    }
}

impl PrincipalType {
    /// The name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ResourceAccount => "resourceAccount",
            Self::TeamsResourceAccount => "teamsResourceAccount",
            Self::Group => "group",
            Self::Tenant => "tenant",
        }
    }
}
