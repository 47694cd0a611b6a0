//! The operations: the method, the path, the handler, the api-versions and the callers of each.

mod assignments;
mod exchanges;
mod identities;

use crate::{
    http::{
        Endpoint,
        api_version::{ApiVersions, ENTRA, IDENTITIES, TEAMS_EXTENSION, TEAMS_USER},
        authentication::Audiences,
    },
    operation::Operation,
    tokens::{ENTRA_USER_AUDIENCES, TEAMS_EXTENSION_AUDIENCES},
};
use axum::routing::{MethodFilter, MethodRouter, on};
use http::Method;

const TEAMS_EXTENSION_ASSIGNMENT: &str = "/access/teamsExtension/tenants/{tenant_id}/assignments/{object_id}";
const ENTRA_ASSIGNMENT: &str = "/access/entra/assignments/{object_id}";

/// The route of an operation.
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) handler: MethodRouter<Endpoint>,
    pub(super) versions: ApiVersions,
    pub(super) caller: Caller,
}

/// Those who may call an operation.
pub(super) enum Caller {
    /// The owner of the resource, with an access key or an Entra ID token.
    Owner,
    /// A user with an Entra ID token for one of these audiences.
    User(Audiences),
}

impl Operation {
    /// The operation of a request, by its method and the path of the route that it matches.
    pub(super) fn of(method: &Method, path: &str) -> Option<Self> {
        let method = MethodFilter::try_from(method.clone()).ok()?;
        let mut all = Self::ALL.into_iter();
        all.find(|operation| operation.method_and_path() == (method, path))
    }

    /// The path of the route, whose braces stand for a segment each.
    pub(super) fn path(self) -> &'static str {
        let (_, path) = self.method_and_path();
        path
    }

    /// The method, and the path of the route, whose braces stand for a segment each.
    fn method_and_path(self) -> (MethodFilter, &'static str) {
        match self {
            Self::CreateIdentity => (MethodFilter::POST, "/identities"),
            Self::DeleteIdentity => (MethodFilter::DELETE, "/identities/{id}"),
            Self::IssueToken => (MethodFilter::POST, "/identities/{id}/:issueAccessToken"),
            Self::RevokeTokens => (MethodFilter::POST, "/identities/{id}/:revokeAccessTokens"),
            Self::ExchangeTeamsUserToken => (MethodFilter::POST, "/teamsUser/:exchangeAccessToken"),
            Self::ExchangeTeamsExtensionToken => (MethodFilter::POST, "/access/teamsExtension/:exchangeAccessToken"),
            Self::ExchangeEntraToken => (MethodFilter::POST, "/access/entra/:exchangeAccessToken"),
            Self::GetTeamsExtensionAssignment => (MethodFilter::GET, TEAMS_EXTENSION_ASSIGNMENT),
            Self::PutTeamsExtensionAssignment => (MethodFilter::PUT, TEAMS_EXTENSION_ASSIGNMENT),
            Self::DeleteTeamsExtensionAssignment => (MethodFilter::DELETE, TEAMS_EXTENSION_ASSIGNMENT),
            Self::ListEntraAssignments => (MethodFilter::GET, "/access/entra/assignments"),
            Self::GetEntraAssignment => (MethodFilter::GET, ENTRA_ASSIGNMENT),
            Self::PutEntraAssignment => (MethodFilter::PUT, ENTRA_ASSIGNMENT),
            Self::DeleteEntraAssignment => (MethodFilter::DELETE, ENTRA_ASSIGNMENT),
        }
    }

    pub(super) fn route(self) -> Route {
        let (method, path) = self.method_and_path();
        let owner = |versions, handler| Route {
            path,
            handler,
            versions,
            caller: Caller::Owner,
        };
        let user = |audiences, versions, handler| Route {
            path,
            handler,
            versions,
            caller: Caller::User(audiences),
        };
        match self {
            Self::CreateIdentity => owner(IDENTITIES, on(method, identities::create)),
            Self::DeleteIdentity => owner(IDENTITIES, on(method, identities::delete)),
            Self::IssueToken => owner(IDENTITIES, on(method, identities::issue_token)),
            Self::RevokeTokens => owner(IDENTITIES, on(method, identities::revoke_tokens)),
            Self::ExchangeTeamsUserToken => owner(TEAMS_USER, on(method, exchanges::teams_user)),
            Self::ExchangeTeamsExtensionToken => user(
                TEAMS_EXTENSION_AUDIENCES,
                TEAMS_EXTENSION,
                on(method, exchanges::teams_extension),
            ),
            Self::ExchangeEntraToken => user(ENTRA_USER_AUDIENCES, ENTRA, on(method, exchanges::entra)),
            Self::GetTeamsExtensionAssignment => owner(TEAMS_EXTENSION, on(method, assignments::get_teams_extension)),
            Self::PutTeamsExtensionAssignment => owner(TEAMS_EXTENSION, on(method, assignments::put_teams_extension)),
            Self::DeleteTeamsExtensionAssignment => {
                owner(TEAMS_EXTENSION, on(method, assignments::delete_teams_extension))
            }
            Self::ListEntraAssignments => owner(ENTRA, on(method, assignments::list_entra)),
            Self::GetEntraAssignment => owner(ENTRA, on(method, assignments::get_entra)),
            Self::PutEntraAssignment => owner(ENTRA, on(method, assignments::put_entra)),
            Self::DeleteEntraAssignment => owner(ENTRA, on(method, assignments::delete_entra)),
        }
    }
}
