//! The exchange of Teams users' tokens.

use crate::{
    auth::KeyNumber,
    endpoint::Endpoint,
    rate_limits::Quota,
    resource::Resource,
    service::{Answer, ServiceError, authentication::explained, body::Json, guid},
    tokens::{AccessToken, EntraTokenError, Signatures, TEAMS_AUDIENCES, TeamsUserClaims, check},
};
use axum::extract::{Extension, State};
use http::StatusCode;
use serde::Deserialize;

/// The permissions that the application needs.
const PERMISSIONS: [&str; 2] = ["Teams.ManageCalls", "Teams.ManageChats"];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ExchangeRequest {
    token: Option<String>,
    app_id: Option<String>,
    user_id: Option<String>,
}

/// `POST /teamsUser/:exchangeAccessToken`
///
/// The token is checked first, then its permissions, then the ids, which have to be those of the token.
pub(super) async fn exchange_access_token(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Extension(key): Extension<KeyNumber>,
    Json(request): Json<ExchangeRequest>,
) -> Result<Answer<AccessToken>, ServiceError> {
    resource.count(Quota::ExchangeToken)?;
    let request = request.unwrap_or_default();
    let entra = teams_user(&resource, &request.token.unwrap_or_default()).await?;

    if !PERMISSIONS.iter().all(|name| entra.permissions.include(name)) {
        return Err(ServiceError::forbidden(
            "The token lacks one of the permissions Teams.ManageCalls and Teams.ManageChats.",
        ));
    }
    if guid::required(request.app_id, "AppId", "appId")? != entra.appid {
        return Err(ServiceError::validation(
            "appId",
            "AAD application is not the expected one.",
        ));
    }
    if guid::required(request.user_id, "UserId", "userId")? != entra.oid {
        let message = "Provided AAD token issued for unexpected user.";
        return Err(ServiceError::validation("userId", message));
    }
    let token = resource.issue_teams_user_token(&entra, key).await?;
    Ok(Answer(StatusCode::OK, token))
}

/// The claims of a Teams user's Entra ID token, if it is valid.
async fn teams_user(resource: &Resource, token: &str) -> Result<TeamsUserClaims, ServiceError> {
    let signatures = Signatures::Of(resource.token_key.wait().await?);
    check(token, TEAMS_AUDIENCES, signatures, resource.clock.now())
        .and_then(|token| token.payload().claims().ok_or(EntraTokenError::Malformed))
        .map_err(|error| {
            explained(
                ServiceError::invalid_access_token().because_of("token in the body", error),
                resource,
            )
        })
}
