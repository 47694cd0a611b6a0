//! Extractors of the handlers for operators: the operator who is calling, and the users and principals in question.

use crate::{
    admin::Admin,
    audit::{Action, Actor, ActorKind},
    error::ApiError,
    layers::REQUEST_ID,
    routes::{ApiState, extract::in_time},
    user::UserIdClaims,
};
use axum::{
    Json, RequestExt,
    extract::{FromRequest, FromRequestParts, MatchedPath, Path, Query, Request},
    http::{Method, StatusCode, request::Parts},
};
use azure_communication_identity::{TeamsExtensionAssignmentId, TeamsExtensionPrincipal, TeamsExtensionPrincipalType};
use serde::Deserialize;
use std::{
    num::{NonZeroU16, NonZeroU32},
    sync::Arc,
};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// The records of a page, if the caller asks for no other number, and the most of them.
const DEFAULT_PAGE: u16 = 100;
const MAX_PAGE: u16 = 1000;

/// The most applications of an assignment.
const MAX_CLIENT_IDS: usize = 100;

/// The operations of the operator who is calling, with a checked token and within their rate limit.
pub(super) struct Operator(pub(super) Admin);

impl FromRequestParts<Arc<ApiState>> for Operator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<ApiState>) -> Result<Self, ApiError> {
        // Without it, there are no routes.
        let access = api.admin_access.as_ref().ok_or_else(ApiError::internal)?;
        let request_id = parts.headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
        let request_id = request_id.map(str::to_owned);
        let action = action(parts);
        let caller = match access.guard.authenticate(&parts.headers).await {
            Ok(caller) => caller,
            Err(error) => {
                let actor = Actor::new(ActorKind::Unknown, None, request_id);
                return Err(api.admin.refuse(actor, action, error.into()).await);
            }
        };
        // An application of Entra ID can lack the claims of users.
        let id = api.user_id_claims.user_id(&caller, &api.issuer_aliases);
        let id = id.or_else(|_| UserIdClaims::Subject.user_id(&caller, &api.issuer_aliases));
        let kind = if caller.is_application() {
            ActorKind::Application
        } else {
            ActorKind::User
        };
        let id = match id {
            Ok(id) => id,
            Err(error) => {
                let actor = Actor::new(kind, None, request_id);
                return Err(api.admin.refuse(actor, action, error.into()).await);
            }
        };
        let actor = Actor::new(kind, Some(id.as_str().to_owned()), request_id);
        // Before the check, so that attempts without the permission count, too.
        let allowed = api.rate_limit.charge(&id, NonZeroU32::MIN);
        let allowed = allowed.and_then(|()| Ok(access.check(&caller)?));
        match allowed {
            Ok(()) => Ok(Self(api.admin.of(actor))),
            Err(error) => Err(api.admin.refuse(actor, action, error).await),
        }
    }
}

/// Returns the action of a request that is refused.
fn action(parts: &Parts) -> Action {
    let path = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
    match (&parts.method, path.unwrap_or_default()) {
        (&Method::DELETE, "/admin/user") => Action::DeleteUser,
        (_, "/admin/user") => Action::ShowUser,
        (_, "/admin/user/tokens") => Action::RevokeTokens,
        (_, "/admin/users") => Action::ListUsers,
        (_, "/admin/users.ndjson") => Action::ExportUsers,
        (_, "/admin/deletions") => Action::ListDeletions,
        (&Method::PUT, _) => Action::PutAssignment,
        (&Method::DELETE, _) => Action::DeleteAssignment,
        _ => Action::ShowAssignment,
    }
}

/// A user of any issuer.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct AnyUser {
    /// The id of a user: issuer and subject or, for Entra ID, tenant and object id, with a space between them. Or the raw id
    /// of an identity, which has no space.
    #[param(example = "https://login.contoso.com alice", min_length = 1)]
    id: String,
}

/// The query of a page.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Pages {
    /// The most records of the page.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u16>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// The principal of an assignment, in Entra ID.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct Principal {
    /// The tenant.
    #[serde(rename = "tenantId")]
    #[param(format = "uuid", example = "aaaabbbb-0000-cccc-1111-dddd2222eeee")]
    tenant_id: String,
    /// The object id of a user or a resource account.
    #[serde(rename = "objectId")]
    #[param(format = "uuid", example = "00001111-aaaa-2222-bbbb-3333cccc4444")]
    object_id: String,
}

/// A new assignment.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewAssignment {
    principal_type: PrincipalKind,
    /// The applications that a user may sign in with.
    #[serde(default)]
    #[schema(max_items = 100, required = false)]
    client_ids: Vec<ClientId>,
}

/// The id of an application.
#[derive(Deserialize, ToSchema)]
#[schema(value_type = String, format = "uuid", example = "00001111-aaaa-2222-bbbb-3333cccc4444")]
struct ClientId(Uuid);

/// The kind of a principal. Microsoft's documents have two names for a resource account.
#[derive(Deserialize, ToSchema)]
#[schema(as = PrincipalType)]
#[serde(rename_all = "camelCase")]
enum PrincipalKind {
    User,
    ResourceAccount,
    TeamsResourceAccount,
}

impl From<PrincipalKind> for TeamsExtensionPrincipalType {
    fn from(kind: PrincipalKind) -> Self {
        match kind {
            PrincipalKind::User => Self::User,
            PrincipalKind::ResourceAccount => Self::ResourceAccount,
            PrincipalKind::TeamsResourceAccount => Self::TeamsResourceAccount,
        }
    }
}

/// The id of the query.
pub(super) struct QueryId(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for QueryId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query: Result<Query<AnyUser>, _> = Query::try_from_uri(&parts.uri);
        let id = query.map(|Query(user)| user.id).unwrap_or_default();
        if id.is_empty() {
            let message = "the query must be ?id= with the id of a user or an identity, percent-encoded";
            return Err(ApiError::bad_request(message));
        }
        Ok(Self(id))
    }
}

/// The page of the query.
pub(super) struct QueryPage {
    pub(super) limit: NonZeroU16,
    pub(super) after: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for QueryPage {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query: Result<Query<Pages>, _> = Query::try_from_uri(&parts.uri);
        let query = query.ok().and_then(|Query(Pages { limit, after })| {
            let limit = NonZeroU16::new(limit.unwrap_or(DEFAULT_PAGE))?;
            (limit.get() <= MAX_PAGE).then_some(Self { limit, after })
        });
        query.ok_or_else(|| {
            ApiError::bad_request("limit must be a number, 1 to 1000, and there is one of each parameter")
        })
    }
}

/// The id of the assignment of the principal in the path.
pub(super) struct PathPrincipal(pub(super) TeamsExtensionAssignmentId);

impl<S: Send + Sync> FromRequestParts<S> for PathPrincipal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path: Result<Path<Principal>, _> = Path::from_request_parts(parts, state).await;
        let id = path.ok().and_then(|Path(principal)| {
            Some(TeamsExtensionAssignmentId {
                tenant_id: principal.tenant_id.parse().ok()?,
                object_id: principal.object_id.parse().ok()?,
            })
        });
        let id = id.ok_or_else(|| ApiError::bad_request("the path must have two GUIDs: a tenant and an object id"));
        id.map(Self)
    }
}

/// The principal of the body.
pub(super) struct BodyPrincipal(pub(super) TeamsExtensionPrincipal);

impl<S: Send + Sync> FromRequest<S> for BodyPrincipal {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let body: Result<Json<NewAssignment>, _> = in_time(request.extract()).await?;
        let Json(body) = body.map_err(|rejection| bad_body(rejection.status()))?;
        if body.client_ids.len() > MAX_CLIENT_IDS {
            return Err(bad_body(StatusCode::UNPROCESSABLE_ENTITY));
        }
        Ok(Self(TeamsExtensionPrincipal {
            principal_type: body.principal_type.into(),
            client_ids: body.client_ids.iter().map(|ClientId(id)| id.to_string()).collect(),
        }))
    }
}

fn bad_body(status: StatusCode) -> ApiError {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too large",
        _ => {
            "the body must be JSON, such as {\"principalType\":\"user\",\"clientIds\":[]}: the type is user, resourceAccount or \
             teamsResourceAccount, and there are at most 100 GUIDs of applications"
        }
    };
    ApiError::new(status, "bad_body", message)
}
