//! The contract of Microsoft's authentication sample.

use super::{
    Api, User,
    bodies::{TeamsTokenBody, UserBody, UserTokenBody},
    scopes::{ScopeList, Scopes},
};
use crate::error::{ApiError, ErrorBody};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use std::sync::Arc;

/// The caller's identity
#[utoipa::path(
    get,
    path = "/api/user",
    tag = "users",
    responses(
        (status = 200, description = "The identity", body = UserBody),
        (status = 404, description = "The user has no identity", body = ErrorBody),
    ),
)]
pub(super) async fn user(State(api): State<Arc<Api>>, user: User) -> Result<Json<UserBody>, ApiError> {
    let identity = api
        .directory
        .find_identity(&user.id)
        .await?
        .ok_or_else(ApiError::no_identity)?;
    Ok(Json(UserBody::from(&identity)))
}

/// Creates the caller's identity, unless there is one
#[utoipa::path(
    post,
    path = "/api/user",
    tag = "users",
    responses(
        (status = 200, description = "The user had an identity", body = UserBody),
        (status = 201, description = "The identity was created", body = UserBody),
    ),
)]
pub(super) async fn sign_in(State(api): State<Arc<Api>>, user: User) -> Result<(StatusCode, Json<UserBody>), ApiError> {
    let signed_in = api.directory.find_or_create_identity(&user.id).await?;
    let status = if signed_in.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(UserBody::from(&signed_in.mapping.identity))))
}

/// Removes the caller: forgets and deletes their identity
///
/// It can be repeated, and answers the same.
#[utoipa::path(
    delete,
    path = "/api/user",
    tag = "users",
    responses((status = 204, description = "The user is removed")),
)]
pub(super) async fn remove(State(api): State<Arc<Api>>, user: User) -> Result<StatusCode, ApiError> {
    api.directory.delete_user(&user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token of the caller's identity
#[utoipa::path(
    get,
    path = "/api/token",
    tag = "tokens",
    params(ScopeList),
    responses(
        (status = 201, description = "The token", body = UserTokenBody),
        (status = 404, description = "The user has no identity", body = ErrorBody),
        (status = 409, description = "The user's identity no longer exists", body = ErrorBody),
    ),
)]
pub(super) async fn token(
    State(api): State<Arc<Api>>,
    user: User,
    scopes: Scopes,
) -> Result<(StatusCode, Json<UserTokenBody>), ApiError> {
    let grant = api.policy.grant(&user.caller, scopes.asked())?;
    let token = api
        .directory
        .token(&user.id, &grant)
        .await?
        .ok_or_else(ApiError::no_identity)?;
    Ok((StatusCode::CREATED, Json(token.into())))
}

/// Revokes all tokens of the caller: signs them out everywhere
#[utoipa::path(
    delete,
    path = "/api/token",
    tag = "tokens",
    responses(
        (status = 204, description = "The tokens are revoked"),
        (status = 404, description = "The user has no identity", body = ErrorBody),
    ),
)]
pub(super) async fn revoke(State(api): State<Arc<Api>>, user: User) -> Result<StatusCode, ApiError> {
    api.directory.revoke_tokens(&user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token for the caller as a Teams user
///
/// In exchange for their Entra token, which they send or which is acquired on behalf of them.
#[utoipa::path(
    get,
    path = "/api/token/teams",
    tag = "tokens",
    params(("teams-user-aad-token" = Option<String>, Header, description = "The caller's Entra token for Teams")),
    responses(
        (status = 201, description = "The token", body = TeamsTokenBody),
        (status = 404, description = "Teams is not set up here", body = ErrorBody),
    ),
)]
pub(super) async fn teams_token(
    State(api): State<Arc<Api>>,
    user: User,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<TeamsTokenBody>), ApiError> {
    let Some(teams) = &api.teams else {
        let message = "tokens for Teams users are not set up in this service";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "no_teams", message));
    };
    let object_id = api.user_id_claims.object_id(&user.caller).ok_or_else(|| {
        let message = "the caller is not a user of Entra ID: this service tells users apart by another issuer";
        ApiError::new(StatusCode::FORBIDDEN, "not_an_entra_user", message)
    })?;
    let token = teams.token(&api.acs, &user.caller, object_id, &headers).await?;
    Ok((StatusCode::CREATED, Json(token.into())))
}
