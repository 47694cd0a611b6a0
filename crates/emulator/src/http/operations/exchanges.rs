//! Exchanges of Entra ID tokens for access tokens: of Teams users by the owner, of assigned users by themselves.

use crate::{
    auth::KeyNumber,
    http::{
        JsonResponse, Service, ServiceError,
        authentication::explained,
        json_body::{FromMembers, Json, Members},
        rate_limits::Quota,
        request::required_guid,
        response::{Identity, IdentityAndToken, ResponseIdentity},
    },
    identities::Access,
    resource::Resource,
    tokens::{AccessToken, EntraTokenError, EntraUserClaims, Signatures, TEAMS_AUDIENCES, TeamsUserClaims, validate},
};
use axum::extract::{Extension, State};
use http::StatusCode;
use std::sync::Arc;

/// The permissions that an application needs for the exchange of a Teams user's token.
const TEAMS_PERMISSIONS: [&str; 2] = ["Teams.ManageCalls", "Teams.ManageChats"];

#[derive(Default)]
pub(super) struct TeamsUserRequest {
    token: Option<String>,
    app_id: Option<String>,
    user_id: Option<String>,
}

impl FromMembers for TeamsUserRequest {
    fn from_members(members: &Members<'_>) -> Result<Self, ServiceError> {
        Ok(Self {
            token: members.get("token")?,
            app_id: members.get("appId")?,
            user_id: members.get("userId")?,
        })
    }
}

/// Checks the token first, then its permissions, then the ids, which must be those of the token.
pub(super) async fn teams_user(
    State(service): State<Arc<Service>>,
    Extension(key): Extension<KeyNumber>,
    Json(request): Json<TeamsUserRequest>,
) -> Result<JsonResponse<AccessToken>, ServiceError> {
    service.count(Quota::ExchangeToken)?;
    let request = request.unwrap_or_default();
    let entra = teams_user_claims(&service, &request.token.unwrap_or_default()).await?;

    if !TEAMS_PERMISSIONS.iter().all(|name| entra.permissions.include(name)) {
        return Err(ServiceError::forbidden(
            "The token lacks one of the permissions Teams.ManageCalls and Teams.ManageChats.",
        ));
    }
    if required_guid(request.app_id, "AppId", "appId")? != entra.appid {
        return Err(ServiceError::validation(
            "appId",
            "AAD application is not the expected one.",
        ));
    }
    if required_guid(request.user_id, "UserId", "userId")? != entra.oid {
        let message = "Provided AAD token issued for unexpected user.";
        return Err(ServiceError::validation("userId", message));
    }
    let token = service.resource.issue_teams_user_token(&entra, key).await?;
    Ok(JsonResponse(StatusCode::OK, token))
}

/// The claims of a Teams user's Entra ID token, if it is valid.
async fn teams_user_claims(service: &Service, token: &str) -> Result<TeamsUserClaims, ServiceError> {
    let resource = &service.resource;
    let signatures = Signatures::Of(resource.token_key.wait().await?);
    validate(token, TEAMS_AUDIENCES, signatures, resource.clock.now())
        .and_then(|token| token.payload().claims().ok_or(EntraTokenError::Malformed))
        .map_err(|error| {
            explained(
                ServiceError::invalid_access_token().because_of("token in the body", error),
                service,
            )
        })
}

/// The response to an assigned user.
type Exchanged = (Extension<ResponseIdentity>, JsonResponse<IdentityAndToken>);

/// An object without members.
pub(super) struct AssignedUserRequest;

impl FromMembers for AssignedUserRequest {
    fn from_members(_: &Members<'_>) -> Result<Self, ServiceError> {
        Ok(Self)
    }
}

pub(super) async fn teams_extension(
    State(service): State<Arc<Service>>,
    Extension(user): Extension<EntraUserClaims>,
    _: Json<AssignedUserRequest>,
) -> Result<Exchanged, ServiceError> {
    service.count(Quota::ExchangeToken)?;
    if !user.permissions.include("TeamsExtension.ManageCalls") {
        return Err(ServiceError::forbidden(
            "The token lacks the permission TeamsExtension.ManageCalls.",
        ));
    }
    exchange(&service.resource, Access::TeamsExtension, &user, &["voip"]).await
}

pub(super) async fn entra(
    State(service): State<Arc<Service>>,
    Extension(user): Extension<EntraUserClaims>,
    _: Json<AssignedUserRequest>,
) -> Result<Exchanged, ServiceError> {
    service.count(Quota::ExchangeToken)?;
    let mut scopes = Vec::new();
    for scope in user.permissions.names().filter_map(scope) {
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    if scopes.is_empty() {
        return Err(ServiceError::forbidden(
            "The token has none of the permissions Chat, Chat.Join, Chat.Join.Limited, VoIP and VoIP.Join.",
        ));
    }
    exchange(&service.resource, Access::Entra, &user, &scopes).await
}

/// The scope that corresponds to a permission.
fn scope(permission: &str) -> Option<&'static str> {
    match permission {
        "Chat" => Some("chat"),
        "Chat.Join" => Some("chat.join"),
        "Chat.Join.Limited" => Some("chat.join.limited"),
        "VoIP" => Some("voip"),
        "VoIP.Join" => Some("voip.join"),
        _ => None,
    }
}

async fn exchange(
    resource: &Resource,
    access: Access,
    user: &EntraUserClaims,
    scopes: &[&str],
) -> Result<Exchanged, ServiceError> {
    let issued = resource.issue_assigned_user_token(access, user, scopes).await?;
    let Some((user, access_token)) = issued else {
        resource.store.wait_for_all().await?;
        return Err(ServiceError::forbidden(
            "No assignment admits the user with this application.",
        ));
    };
    let id = user.to_string();
    let exchanged = IdentityAndToken {
        identity: Identity { id: id.clone() },
        access_token: Some(access_token),
    };
    Ok((Extension(ResponseIdentity(id)), JsonResponse(StatusCode::OK, exchanged)))
}
