//! The routes below `/admin`, for operators: users, deletions that are due, and assignments of Teams Phone.

mod extract;

use super::ApiState;
use crate::{
    admin::{AdminError, AssignmentRecord, DeletionPage, UserPage},
    error::{ApiError, ErrorBody},
    store::UserRecord,
};
use axum::{
    Json,
    body::Body,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use extract::{AnyUser, BodyPrincipal, NewAssignment, Operator, Pages, PathPrincipal, Principal, QueryId, QueryPage};
use futures::stream::try_unfold;
use std::sync::Arc;
use utoipa::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

/// The part of the description that is general.
#[derive(OpenApi)]
#[openapi(tags((name = "admin", description = "Users and assignments of Teams Phone. Callers are operators")))]
struct Base;

/// Returns the routes and their description.
pub(super) fn routes() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::with_openapi(Base::openapi())
        .routes(routes!(get_user, delete_user))
        .routes(routes!(revoke_tokens))
        .routes(routes!(list_users))
        .routes(routes!(export_users))
        .routes(routes!(list_deletions))
        .routes(routes!(get_assignment, put_assignment, delete_assignment))
}

/// Gets a user
#[utoipa::path(
    get,
    path = "/admin/user",
    operation_id = "admin_user",
    tag = "admin",
    params(AnyUser),
    responses(
        (status = 200, description = "The user", body = UserRecord),
        (status = 404, description = "There is no such user", body = ErrorBody),
    ),
)]
async fn get_user(Operator(admin): Operator, QueryId(id): QueryId) -> Result<Json<UserRecord>, ApiError> {
    Ok(Json(admin.user(&id).await?))
}

/// Deletes a user and their identity, as their own request does
///
/// The request with a user's id can be repeated while the deletion of the identity is due. Then there is no such user.
#[utoipa::path(
    delete,
    path = "/admin/user",
    operation_id = "admin_delete_user",
    tag = "admin",
    params(AnyUser),
    responses(
        (status = 204, description = "The user is deleted"),
        (status = 404, description = "There is no such user, and no deletion of theirs is due", body = ErrorBody),
    ),
)]
async fn delete_user(Operator(admin): Operator, QueryId(id): QueryId) -> Result<StatusCode, ApiError> {
    admin.delete_user(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes all tokens of a user, which signs them out everywhere
#[utoipa::path(
    delete,
    path = "/admin/user/tokens",
    operation_id = "admin_revoke_tokens",
    tag = "admin",
    params(AnyUser),
    responses(
        (status = 204, description = "The tokens are revoked"),
        (status = 404, description = "The user has no identity", body = ErrorBody),
        (status = 409, description = "The user's identity no longer exists", body = ErrorBody),
    ),
)]
async fn revoke_tokens(Operator(admin): Operator, QueryId(id): QueryId) -> Result<StatusCode, ApiError> {
    admin.revoke_tokens(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lists users in the order of their ids, page by page
#[utoipa::path(
    get,
    path = "/admin/users",
    operation_id = "admin_users",
    tag = "admin",
    params(Pages),
    responses((status = 200, description = "A page", body = UserPage)),
)]
async fn list_users(Operator(admin): Operator, page: QueryPage) -> Result<Json<UserPage>, ApiError> {
    Ok(Json(admin.users(page.after.as_deref(), page.limit).await?))
}

/// Exports all users, a line of JSON each
///
/// A response that breaks off is not complete.
#[utoipa::path(
    get,
    path = "/admin/users.ndjson",
    operation_id = "admin_export",
    tag = "admin",
    responses((status = 200, description = "The users", body = String, content_type = "application/x-ndjson")),
)]
async fn export_users(Operator(admin): Operator) -> Result<Response, ApiError> {
    let mut export = admin.export().await;
    // Before the head of the response, so that a failure has a status.
    let first = export.next_page().await?;
    let pages = try_unfold((first, export), async |(page, mut export)| {
        let Some(page) = page else {
            return Ok::<_, AdminError>(None);
        };
        let lines = lines(&page)?;
        let next = export.next_page().await?;
        Ok(Some((lines, (next, export))))
    });
    let content_type = [(CONTENT_TYPE, "application/x-ndjson")];
    Ok((content_type, Body::from_stream(pages)).into_response())
}

/// Lists identities that are due for deletion, the oldest first, page by page
#[utoipa::path(
    get,
    path = "/admin/deletions",
    operation_id = "admin_deletions",
    tag = "admin",
    params(
        ("limit" = Option<u16>, Query, description = "The most records of the page.", minimum = 1, maximum = 1000),
        (
            "after" = Option<String>,
            Query,
            description = "The `next` of the page before.",
            pattern = r"^[0-9]{1,18}\.[!-~]{1,512}$",
        ),
    ),
    responses((status = 200, description = "A page", body = DeletionPage)),
)]
async fn list_deletions(Operator(admin): Operator, page: QueryPage) -> Result<Json<DeletionPage>, ApiError> {
    Ok(Json(admin.deletions(page.after.as_deref(), page.limit).await?))
}

/// Gets the assignment of Teams Phone of a principal
#[utoipa::path(
    get,
    path = "/admin/teams-phone/{tenantId}/{objectId}",
    operation_id = "admin_assignment",
    tag = "admin",
    params(Principal),
    responses(
        (status = 200, description = "The assignment", body = AssignmentRecord),
        (status = 404, description = "The principal has no assignment", body = ErrorBody),
    ),
)]
async fn get_assignment(
    Operator(admin): Operator,
    PathPrincipal(id): PathPrincipal,
) -> Result<Json<AssignmentRecord>, ApiError> {
    Ok(Json(admin.assignment(&id).await?))
}

/// Creates or replaces the assignment of Teams Phone of a principal
#[utoipa::path(
    put,
    path = "/admin/teams-phone/{tenantId}/{objectId}",
    operation_id = "admin_put_assignment",
    tag = "admin",
    params(Principal),
    request_body = NewAssignment,
    responses(
        (status = 200, description = "The assignment replaces another one", body = AssignmentRecord),
        (status = 201, description = "The assignment is new", body = AssignmentRecord),
        (status = 408, description = "The body took too long", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The body is not JSON", body = ErrorBody),
        (status = 422, description = "The body is not as described", body = ErrorBody),
    ),
)]
async fn put_assignment(
    Operator(admin): Operator,
    PathPrincipal(id): PathPrincipal,
    BodyPrincipal(principal): BodyPrincipal,
) -> Result<(StatusCode, Json<AssignmentRecord>), ApiError> {
    let (assignment, is_new) = admin.put_assignment(&id, &principal).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(assignment)))
}

/// Deletes the assignment of Teams Phone of a principal, and revokes the principal's tokens
///
/// The request can be repeated, with the same response.
#[utoipa::path(
    delete,
    path = "/admin/teams-phone/{tenantId}/{objectId}",
    operation_id = "admin_delete_assignment",
    tag = "admin",
    params(Principal),
    responses((status = 204, description = "The principal has no assignment")),
)]
async fn delete_assignment(
    Operator(admin): Operator,
    PathPrincipal(id): PathPrincipal,
) -> Result<StatusCode, ApiError> {
    admin.delete_assignment(&id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Returns a line of JSON for each user.
fn lines(users: &[UserRecord]) -> Result<Vec<u8>, ApiError> {
    let mut lines = Vec::new();
    for user in users {
        serde_json::to_writer(&mut lines, user).map_err(|_| ApiError::internal())?;
        lines.push(b'\n');
    }
    Ok(lines)
}
