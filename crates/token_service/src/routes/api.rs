//! The routes below `/api`: a user's identity and tokens.
//!
//! The contract is that of Microsoft's sample
//! [communication-services-authentication-hero](https://github.com/Azure-Samples/communication-services-authentication-hero-nodejs).

use super::{
    ApiState,
    bodies::{TeamsPhoneTokenBody, TeamsTokenBody, UserBody, UserTokenBody},
    extract::{Freshness, QueryFresh, QueryScopes, ScopeList, User},
};
use crate::{
    directory::AcsCost,
    error::{ApiError, ErrorBody},
    user::EntraUser,
};
use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use std::{num::NonZeroU32, sync::Arc};

/// Gets the caller's identity
#[utoipa::path(
    get,
    path = "/api/user",
    operation_id = "user",
    tag = "users",
    responses(
        (status = 200, description = "The identity", body = UserBody),
        (status = 404, description = "The user has no identity", body = ErrorBody),
    ),
)]
pub(super) async fn get_user(State(api): State<Arc<ApiState>>, user: User) -> Result<Json<UserBody>, ApiError> {
    let identity = api
        .directory
        .find_identity(&user.id)
        .await?
        .ok_or_else(ApiError::no_identity)?;
    Ok(Json(UserBody::from(&identity)))
}

/// Creates the caller's identity, unless they have one
#[utoipa::path(
    post,
    path = "/api/user",
    operation_id = "sign_in",
    tag = "users",
    responses(
        (status = 200, description = "The user had an identity", body = UserBody),
        (status = 201, description = "The identity was created", body = UserBody),
    ),
)]
pub(super) async fn create_user(
    State(api): State<Arc<ApiState>>,
    user: User,
) -> Result<(StatusCode, Json<UserBody>), ApiError> {
    let identity = api.directory.find_or_create_identity(&user.id).await?;
    let status = if identity.created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok((status, Json(UserBody::from(&identity.mapping.identity))))
}

/// Deletes the caller and their identity
///
/// The request can be repeated, with the same response.
#[utoipa::path(
    delete,
    path = "/api/user",
    operation_id = "remove",
    tag = "users",
    responses((status = 204, description = "The user is deleted")),
)]
pub(super) async fn delete_user(State(api): State<Arc<ApiState>>, user: User) -> Result<StatusCode, ApiError> {
    api.directory.delete_user(&user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gets a token of the caller's identity
///
/// With `fresh=true`, it is a new one. Ask for one when Azure Communication Services refuses a token that has not expired.
#[utoipa::path(
    get,
    path = "/api/token",
    operation_id = "token",
    tag = "tokens",
    params(ScopeList, Freshness),
    responses(
        (status = 201, description = "The token", body = UserTokenBody),
        (status = 404, description = "The user has no identity", body = ErrorBody),
        (status = 409, description = "The user's identity no longer exists", body = ErrorBody),
    ),
)]
pub(super) async fn get_token(
    State(api): State<Arc<ApiState>>,
    user: User,
    QueryScopes(scopes): QueryScopes,
    QueryFresh(fresh): QueryFresh,
) -> Result<(StatusCode, Json<UserTokenBody>), ApiError> {
    let grant = api.policy.grant(&user.caller, scopes.as_ref())?;
    let token = if fresh {
        api.fresh_limit.charge(&user.id, NonZeroU32::MIN)?;
        api.directory.fresh_token(&user.id, &grant).await?
    } else {
        api.directory.token(&user.id, &grant).await?
    };
    let token = token.ok_or_else(ApiError::no_identity)?;
    Ok((StatusCode::CREATED, Json(token.into())))
}

/// Revokes all tokens of the caller, which signs them out everywhere
#[utoipa::path(
    delete,
    path = "/api/token",
    operation_id = "revoke",
    tag = "tokens",
    responses(
        (status = 204, description = "The tokens are revoked"),
        (status = 404, description = "The user has no identity", body = ErrorBody),
    ),
)]
pub(super) async fn revoke_tokens(State(api): State<Arc<ApiState>>, user: User) -> Result<StatusCode, ApiError> {
    api.directory.charge(&user.id, AcsCost::REVOKE)?;
    api.directory.revoke_tokens(&user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Exchanges the caller's Entra token for a token of their Teams user
///
/// The caller sends the Entra token, or the sidecar acquires it on behalf of them.
#[utoipa::path(
    get,
    path = "/api/token/teams",
    operation_id = "teams_token",
    tag = "tokens",
    params(("teams-user-aad-token" = Option<String>, Header, description = "The caller's Entra token for Teams")),
    responses(
        (status = 201, description = "The token", body = TeamsTokenBody),
        (status = 404, description = "Teams is not set up here", body = ErrorBody),
    ),
)]
pub(super) async fn get_teams_token(
    State(api): State<Arc<ApiState>>,
    user: User,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<TeamsTokenBody>), ApiError> {
    let Some(teams) = &api.teams else {
        let message = "tokens for Teams users are not set up in this service";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "no_teams", message));
    };
    let entra_user = entra_user(&api, &user)?;
    api.directory.charge(&user.id, AcsCost::EXCHANGE)?;
    let token = teams.token(&api.acs, &user.caller, entra_user, &headers).await?;
    Ok((StatusCode::CREATED, Json(token.into())))
}

/// Exchanges the caller's Entra token for a token of Teams Phone
///
/// The caller sends the Entra token, or the sidecar acquires it on behalf of them. An administrator must have assigned the
/// user to the Azure Communication Services resource.
#[utoipa::path(
    get,
    path = "/api/token/teams-phone",
    operation_id = "teams_phone_token",
    tag = "tokens",
    params(("teams-user-aad-token" = Option<String>, Header, description = "The caller's Entra token for Teams Phone")),
    responses(
        (status = 201, description = "The token", body = TeamsPhoneTokenBody),
        (status = 404, description = "Teams Phone is not set up here", body = ErrorBody),
    ),
)]
pub(super) async fn get_teams_phone_token(
    State(api): State<Arc<ApiState>>,
    user: User,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<TeamsPhoneTokenBody>), ApiError> {
    let Some(phone) = &api.teams_phone else {
        let message = "tokens for Teams Phone are not set up in this service";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "no_teams_phone", message));
    };
    let entra_user = entra_user(&api, &user)?;
    api.directory.charge(&user.id, AcsCost::EXCHANGE)?;
    let exchanged = phone.token(&api.acs, &user.caller, entra_user, &headers).await?;
    Ok((StatusCode::CREATED, Json(exchanged.into())))
}

/// Returns the caller as a user of Entra ID.
fn entra_user<'a>(api: &ApiState, user: &'a User) -> Result<EntraUser<'a>, ApiError> {
    api.user_id_claims.entra_user(&user.caller).ok_or_else(|| {
        let message = "the caller is not a user of Entra ID: this service tells users apart by another issuer";
        ApiError::new(StatusCode::FORBIDDEN, "not_an_entra_user", message)
    })
}
