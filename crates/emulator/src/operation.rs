//! The names of the service's operations.

use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// An operation of the service. `Display` and JSON are its name in camel case, such as `createIdentity`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Operation {
    /// `POST /identities`, with a token or without
    CreateIdentity,
    /// `DELETE /identities/{id}`
    DeleteIdentity,
    /// `POST /identities/{id}/:issueAccessToken`
    IssueToken,
    /// `POST /identities/{id}/:revokeAccessTokens`
    RevokeTokens,
    /// `POST /teamsUser/:exchangeAccessToken`
    ExchangeTeamsUserToken,
    /// `POST /access/teamsExtension/:exchangeAccessToken`
    ExchangeTeamsExtensionToken,
    /// `POST /access/entra/:exchangeAccessToken`
    ExchangeEntraToken,
    /// `GET /access/teamsExtension/tenants/{tenantId}/assignments/{objectId}`
    GetTeamsExtensionAssignment,
    /// `PUT` on the same path
    PutTeamsExtensionAssignment,
    /// `DELETE` on the same path
    DeleteTeamsExtensionAssignment,
    /// `GET /access/entra/assignments`
    ListEntraAssignments,
    /// `GET /access/entra/assignments/{objectId}`
    GetEntraAssignment,
    /// `PUT` on the same path
    PutEntraAssignment,
    /// `DELETE` on the same path
    DeleteEntraAssignment,
}

impl Operation {
    /// All operations.
    pub const ALL: [Self; 14] = [
        Self::CreateIdentity,
        Self::DeleteIdentity,
        Self::IssueToken,
        Self::RevokeTokens,
        Self::ExchangeTeamsUserToken,
        Self::ExchangeTeamsExtensionToken,
        Self::ExchangeEntraToken,
        Self::GetTeamsExtensionAssignment,
        Self::PutTeamsExtensionAssignment,
        Self::DeleteTeamsExtensionAssignment,
        Self::ListEntraAssignments,
        Self::GetEntraAssignment,
        Self::PutEntraAssignment,
        Self::DeleteEntraAssignment,
    ];
}

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}
