//! The token routes that the front ends of two Microsoft samples call: `/token` and `/refreshToken/{id}`.
//!
//! The contract is that of the servers of [communication-services-web-chat-hero][chat] and
//! [communication-services-web-calling-hero][calling]. Those create a new identity for every request, without a token. Here,
//! a caller gets a token of their own identity only.
//!
//! [chat]: https://github.com/Azure-Samples/communication-services-web-chat-hero
//! [calling]: https://github.com/Azure-Samples/communication-services-web-calling-hero

use super::{
    ApiState,
    bodies::UserTokenBody,
    extract::{BodyScopes, QueryScopes, ScopeList, User},
};
use crate::error::{ApiError, ErrorBody};
use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use azure_communication_identity::CommunicationTokenScope;
use std::{collections::BTreeSet, num::NonZeroU32, sync::Arc};

/// Gets a token of the caller's identity, and creates the identity if they have none
#[utoipa::path(
    get,
    path = "/token",
    tag = "tokens",
    params(ScopeList),
    responses(
        (status = 200, description = "The token", body = UserTokenBody),
        (status = 404, description = "The user was deleted at the same time", body = ErrorBody),
        (status = 409, description = "The user's identity no longer exists", body = ErrorBody),
    ),
)]
pub(super) async fn get_token(
    State(api): State<Arc<ApiState>>,
    user: User,
    QueryScopes(scopes): QueryScopes,
) -> Result<Json<UserTokenBody>, ApiError> {
    find_or_create_token(&api, &user, scopes.as_ref()).await
}

/// Gets a token of the caller's identity, and creates the identity if they have none
#[utoipa::path(
    post,
    path = "/token",
    tag = "tokens",
    params(ScopeList),
    request_body(content = Option<ScopeList>),
    responses(
        (status = 200, description = "The token", body = UserTokenBody),
        (status = 404, description = "The user was deleted at the same time", body = ErrorBody),
        (status = 409, description = "The user's identity no longer exists", body = ErrorBody),
        (status = 408, description = "The body took too long", body = ErrorBody),
        (status = 413, description = "The body is too large", body = ErrorBody),
        (status = 415, description = "The body is not JSON", body = ErrorBody),
        (status = 422, description = "The body is not as described", body = ErrorBody),
    ),
)]
pub(super) async fn post_token(
    State(api): State<Arc<ApiState>>,
    user: User,
    BodyScopes(scopes): BodyScopes,
) -> Result<Json<UserTokenBody>, ApiError> {
    find_or_create_token(&api, &user, scopes.as_ref()).await
}

/// Issues a new token of the identity, which must be the caller's
///
/// Front ends call it when their token expires, or is refused.
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
    State(api): State<Arc<ApiState>>,
    user: User,
    id: Result<Path<String>, PathRejection>,
    QueryScopes(scopes): QueryScopes,
) -> Result<Json<UserTokenBody>, ApiError> {
    let Path(id) = id.map_err(|_| ApiError::bad_request("the identity in the path is not UTF-8"))?;
    let grant = api.policy.grant(&user.caller, scopes.as_ref())?;
    // The response is the same for unknown identities and for those of other users.
    let not_yours = || {
        let message = "the identity is not the caller's: POST /token answers which one is";
        ApiError::new(StatusCode::FORBIDDEN, "not_yours", message)
    };
    let identity = api.directory.find_identity(&user.id).await?;
    identity
        .filter(|identity| identity.as_str() == id)
        .ok_or_else(not_yours)?;
    api.fresh_limit.charge(&user.id, NonZeroU32::MIN)?;
    let token = api.directory.fresh_token(&user.id, &grant).await?;
    Ok(Json(token.ok_or_else(not_yours)?.into()))
}

async fn find_or_create_token(
    api: &ApiState,
    user: &User,
    scopes: Option<&BTreeSet<CommunicationTokenScope>>,
) -> Result<Json<UserTokenBody>, ApiError> {
    let grant = api.policy.grant(&user.caller, scopes)?;
    if let Some(token) = api.directory.token(&user.id, &grant).await? {
        return Ok(Json(token.into()));
    }
    api.directory.find_or_create_identity(&user.id).await?;
    // The user can be deleted at the same time.
    let token = api
        .directory
        .token(&user.id, &grant)
        .await?
        .ok_or_else(ApiError::no_identity)?;
    Ok(Json(token.into()))
}
