//! Teams users' tokens.

use super::{ServiceError, answer::Answer, body::Json};
use crate::{
    endpoint::Endpoint,
    resource::Resource,
    tokens::{AccessToken, EntraTokenError, Signatures, TEAMS_AUDIENCES, TeamsUserClaims, check},
};
use axum::extract::State;
use http::StatusCode;
use serde::Deserialize;
use uuid::Uuid;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct ExchangeRequest {
    token: Option<String>,
    app_id: Option<String>,
    user_id: Option<String>,
}

/// `POST /teamsUser/:exchangeAccessToken`
///
/// The token is looked at first, then the ids that have to be its own.
pub(super) async fn exchange_access_token(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Json(request): Json<ExchangeRequest>,
) -> Result<Answer<AccessToken>, ServiceError> {
    let request = request.unwrap_or_default();
    let entra = teams_user(&resource, &request.token.unwrap_or_default()).await?;

    if given_id(request.app_id, "AppId", "appId")? != entra.appid {
        return Err(ServiceError::validation(
            "appId",
            "AAD application is not the expected one.",
        ));
    }
    if given_id(request.user_id, "UserId", "userId")? != entra.oid {
        let message = "Provided AAD token issued for unexpected user.";
        return Err(ServiceError::validation("userId", message));
    }
    Ok(Answer(StatusCode::OK, resource.issue_teams_user_token(&entra).await?))
}

/// Whom an Entra token of a Teams user is about.
async fn teams_user(resource: &Resource, token: &str) -> Result<TeamsUserClaims, ServiceError> {
    let signatures = Signatures::Of(resource.token_key.wait().await?);
    check(token, TEAMS_AUDIENCES, signatures, resource.clock.now())
        .and_then(|token| token.claims().ok_or(EntraTokenError::Malformed))
        .map_err(|error| ServiceError::invalid_access_token().because(&error))
}

/// Reads an id of the request. A missing one is named as the model has it, a malformed one as JSON has it.
fn given_id(id: Option<String>, field: &'static str, target: &'static str) -> Result<Uuid, ServiceError> {
    let id = id
        .filter(|id| !id.is_empty())
        .ok_or_else(|| ServiceError::required(field))?;
    let malformed = || ServiceError::validation(target, format!("Provided {field} has invalid format."));
    Uuid::try_parse(&id).map_err(|_| malformed())
}
