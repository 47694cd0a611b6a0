//! Operations on the access tokens of identities.

use crate::{
    auth::KeyNumber,
    endpoint::Endpoint,
    rate_limits::Quota,
    service::{
        Answer, ServiceError,
        body::Json,
        raw_id::{RawId, existing, owned},
    },
    tokens::AccessToken,
};
use axum::extract::{Extension, State};
use http::StatusCode;
use serde::Deserialize;
use time::Duration;

const SCOPES: [&str; 5] = ["chat", "chat.join", "chat.join.limited", "voip", "voip.join"];

/// Bounds of a token's lifetime in minutes. The upper one is also the default.
const MIN_LIFETIME: i32 = 60;
const MAX_LIFETIME: i32 = 1440;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct IssueRequest {
    scopes: Option<Vec<String>>,
    expires_in_minutes: Option<i32>,
}

/// `POST /identities/{id}/:revokeAccessTokens`
pub(super) async fn revoke(
    State(Endpoint { resource, .. }): State<Endpoint>,
    id: RawId,
) -> Result<StatusCode, ServiceError> {
    resource.count(Quota::RevokeTokens)?;
    owned(&resource, resource.revoke_tokens(id.parse(&resource)?)).await
}

/// `POST /identities/{id}/:issueAccessToken`
pub(super) async fn issue(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Extension(key): Extension<KeyNumber>,
    id: RawId,
    Json(request): Json<IssueRequest>,
) -> Result<Answer<AccessToken>, ServiceError> {
    resource.count(Quota::IssueToken)?;
    let request = request.unwrap_or_default();
    let scopes = request.scopes.ok_or_else(|| ServiceError::required("Scopes"))?;
    if scopes.is_empty() {
        return Err(ServiceError::validation(
            "scopes",
            "Invalid scopes - Scopes field is required.",
        ));
    }
    check_scopes(&scopes, "scopes")?;
    let lifetime = lifetime(request.expires_in_minutes)?;

    let id = id.parse(&resource)?;
    let token = resource.issue_user_token(id, &scopes, lifetime, key).await?;
    Ok(Answer(StatusCode::OK, existing(&resource, token).await?))
}

/// Checks that all scopes exist.
pub(super) fn check_scopes(scopes: &[String], target: &'static str) -> Result<(), ServiceError> {
    if scopes.iter().all(|scope| SCOPES.contains(&scope.as_str())) {
        return Ok(());
    }
    let message = format!("Invalid scopes - Supported scopes are {}.", SCOPES.join(", "));
    Err(ServiceError::validation(target, message))
}

/// A lifetime of this many minutes, or the default.
pub(super) fn lifetime(minutes: Option<i32>) -> Result<Duration, ServiceError> {
    let minutes = minutes.unwrap_or(MAX_LIFETIME);
    if (MIN_LIFETIME..=MAX_LIFETIME).contains(&minutes) {
        return Ok(Duration::minutes(minutes.into()));
    }
    let message = format!(
        "ExpiresInMinutes value {minutes} is invalid. Value must be within the [{MIN_LIFETIME}, {MAX_LIFETIME}] \
         interval."
    );
    Err(ServiceError::validation("ExpiresInMinutes", message))
}
