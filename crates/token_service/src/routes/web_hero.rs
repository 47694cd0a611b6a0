//! The contract of the servers of Microsoft's chat and calling samples, as far as it is about tokens.
//!
//! Theirs give a new identity to anybody. Here a caller gets a token of their own identity, and of no other.

use super::{
    Api, User,
    bodies::UserTokenBody,
    scopes::{PostedScopes, ScopeList, Scopes},
};
use crate::error::{ApiError, ErrorBody};
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use azure_communication_identity::CommunicationTokenScope;
use std::{collections::BTreeSet, sync::Arc};

/// Creates the caller's identity if there is none, and gets them a token
#[utoipa::path(
    get,
    path = "/token",
    tag = "tokens",
    params(ScopeList),
    responses(
        (status = 200, description = "The token", body = UserTokenBody),
        (status = 404, description = "The user was removed at the same time", body = ErrorBody),
        (status = 409, description = "The user's identity no longer exists", body = ErrorBody),
    ),
)]
pub(super) async fn get_token(
    State(api): State<Arc<Api>>,
    user: User,
    scopes: Scopes,
) -> Result<Json<UserTokenBody>, ApiError> {
    sign_in_for_token(&api, &user, scopes.asked()).await
}

/// Creates the caller's identity if there is none, and gets them a token
#[utoipa::path(
    post,
    path = "/token",
    tag = "tokens",
    params(ScopeList),
    request_body(content = Option<ScopeList>),
    responses(
        (status = 200, description = "The token", body = UserTokenBody),
        (status = 404, description = "The user was removed at the same time", body = ErrorBody),
        (status = 409, description = "The user's identity no longer exists", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The body is not JSON", body = ErrorBody),
        (status = 422, description = "The body is not as described", body = ErrorBody),
    ),
)]
pub(super) async fn post_token(
    State(api): State<Arc<Api>>,
    user: User,
    PostedScopes(scopes): PostedScopes,
) -> Result<Json<UserTokenBody>, ApiError> {
    sign_in_for_token(&api, &user, scopes.asked()).await
}

/// A token for the identity, which has to be the caller's
#[utoipa::path(
    post,
    path = "/refreshToken/{id}",
    tag = "tokens",
    params(("id" = String, Path, description = "The raw id of the caller's identity"), ScopeList),
    responses(
        (status = 200, description = "The token", body = UserTokenBody),
        (status = 409, description = "The user's identity no longer exists", body = ErrorBody),
    ),
)]
pub(super) async fn refresh_token(
    State(api): State<Arc<Api>>,
    user: User,
    id: Result<Path<String>, PathRejection>,
    scopes: Scopes,
) -> Result<Json<UserTokenBody>, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::bad_request("the identity in the path is not UTF-8"))?;
    let grant = api.policy.grant(&user.caller, scopes.asked())?;
    // An identity that is nobody's and one that is somebody else's are the same to a caller.
    let token = api.directory.token(&user.id, &grant).await?;
    let own = token.filter(|token| token.identity.as_str() == id).ok_or_else(|| {
        let message = "the identity is not the caller's: POST /token answers which one is";
        ApiError::new(StatusCode::FORBIDDEN, "not_yours", message)
    })?;
    Ok(Json(own.into()))
}

async fn sign_in_for_token(
    api: &Api,
    user: &User,
    asked: Option<&BTreeSet<CommunicationTokenScope>>,
) -> Result<Json<UserTokenBody>, ApiError> {
    let grant = api.policy.grant(&user.caller, asked)?;
    if let Some(token) = api.directory.token(&user.id, &grant).await? {
        return Ok(Json(token.into()));
    }
    api.directory.find_or_create_identity(&user.id).await?;
    // Unless they have been removed since.
    let token = api
        .directory
        .token(&user.id, &grant)
        .await?
        .ok_or_else(ApiError::no_identity)?;
    Ok(Json(token.into()))
}
