//! An assignment, and whom it admits.

use crate::tokens::EntraUserClaims;
use serde::{Serialize, Serializer};
use uuid::Uuid;

/// An assignment in the service's JSON form.
#[derive(Clone, Serialize)]
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

/// The kind of principal that an assignment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PrincipalType {
    User,
    ResourceAccount,
    /// What Microsoft's how-to writes for a resource account.
    TeamsResourceAccount,
}

impl Assignment {
    /// Whether the user of an Entra ID token may use the resource through the application that asked for the token.
    pub(crate) fn admits(&self, user: &EntraUserClaims) -> bool {
        let applications = self
            .client_ids
            .as_ref()
            .filter(|_| self.principal_type == PrincipalType::User);
        self.tenant_id == user.tid
            && self.object_id == user.oid
            && applications.is_none_or(|applications| applications.contains(&user.appid))
    }
}

impl PrincipalType {
    /// The name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ResourceAccount => "resourceAccount",
            Self::TeamsResourceAccount => "teamsResourceAccount",
        }
    }
}

impl Serialize for PrincipalType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}
