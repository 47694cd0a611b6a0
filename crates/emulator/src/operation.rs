//! The operations of the service.

use http::Method;
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

    /// The operation that a request asks for; `None` if there is none.
    pub(crate) fn of(method: &Method, path: &str) -> Option<Self> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let segments: [Option<&str>; 7] = std::array::from_fn(|_| segments.next());
        Some(match (method.as_str(), segments) {
            ("POST", [Some("identities"), None, ..]) => Self::CreateIdentity,
            ("DELETE", [Some("identities"), Some(_), None, ..]) => Self::DeleteIdentity,
            ("POST", [Some("identities"), Some(_), Some(":issueAccessToken"), None, ..]) => Self::IssueToken,
            ("POST", [Some("identities"), Some(_), Some(":revokeAccessTokens"), None, ..]) => Self::RevokeTokens,
            ("POST", [Some("teamsUser"), Some(":exchangeAccessToken"), None, ..]) => Self::ExchangeTeamsUserToken,
            (
                "POST",
                [
                    Some("access"),
                    Some("teamsExtension"),
                    Some(":exchangeAccessToken"),
                    None,
                    ..,
                ],
            ) => Self::ExchangeTeamsExtensionToken,
            ("POST", [Some("access"), Some("entra"), Some(":exchangeAccessToken"), None, ..]) => {
                Self::ExchangeEntraToken
            }
            (
                method,
                [
                    Some("access"),
                    Some("teamsExtension"),
                    Some("tenants"),
                    Some(_),
                    Some("assignments"),
                    Some(_),
                    None,
                ],
            ) => match method {
                "GET" => Self::GetTeamsExtensionAssignment,
                "PUT" => Self::PutTeamsExtensionAssignment,
                "DELETE" => Self::DeleteTeamsExtensionAssignment,
                _ => return None,
            },
            ("GET", [Some("access"), Some("entra"), Some("assignments"), None, ..]) => Self::ListEntraAssignments,
            (method, [Some("access"), Some("entra"), Some("assignments"), Some(_), None, ..]) => match method {
                "GET" => Self::GetEntraAssignment,
                "PUT" => Self::PutEntraAssignment,
                "DELETE" => Self::DeleteEntraAssignment,
                _ => return None,
            },
            _ => return None,
        })
    }
}

impl Display for Operation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_method_and_a_path() {
        let assignment = "/access/teamsExtension/tenants/t/assignments/o";
        let requests = [
            ("POST", "/identities", "createIdentity"),
            ("DELETE", "/identities/8%3Aacs%3Aa_b", "deleteIdentity"),
            ("POST", "/identities/8:acs:a_b/:issueAccessToken", "issueToken"),
            ("POST", "/identities/8:acs:a_b/:revokeAccessTokens", "revokeTokens"),
            ("POST", "/teamsUser/:exchangeAccessToken", "exchangeTeamsUserToken"),
            (
                "POST",
                "/access/teamsExtension/:exchangeAccessToken",
                "exchangeTeamsExtensionToken",
            ),
            ("POST", "/access/entra/:exchangeAccessToken", "exchangeEntraToken"),
            ("GET", assignment, "getTeamsExtensionAssignment"),
            ("PUT", assignment, "putTeamsExtensionAssignment"),
            ("DELETE", assignment, "deleteTeamsExtensionAssignment"),
            ("GET", "/access/entra/assignments", "listEntraAssignments"),
            ("GET", "/access/entra/assignments/o", "getEntraAssignment"),
            ("PUT", "/access/entra/assignments/o", "putEntraAssignment"),
            ("DELETE", "/access/entra/assignments/o", "deleteEntraAssignment"),
        ];
        let named = requests.map(|(method, path, name)| {
            let operation = Operation::of(&method.parse().unwrap(), path).unwrap();
            assert_eq!(operation.to_string(), name);
            operation
        });
        assert_eq!(named, Operation::ALL);
    }

    #[test]
    fn what_is_not_an_operation_has_no_name() {
        for (method, path) in [
            ("GET", "/identities"),
            ("GET", "/identities/8:acs:a_b"),
            ("PATCH", "/access/entra/assignments"),
            ("PATCH", "/access/entra/assignments/o"),
            ("POST", "/identities/"),
            ("POST", "/identities/a/:issueAccessToken/"),
            ("POST", "/access/teamsExtension/tenants/t/assignments/o"),
            ("GET", "/access/teamsExtension/tenants/t/assignments/o/p"),
            ("GET", "/"),
            ("OPTIONS", "*"),
        ] {
            assert_eq!(Operation::of(&method.parse().unwrap(), path), None, "{method} {path}");
        }
    }
}
