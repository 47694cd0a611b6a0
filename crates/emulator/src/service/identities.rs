//! Operations on identities and their access tokens.

use crate::{
    endpoint::Endpoint,
    registry::IdentityId,
    service::{Answer, ServiceError, body::Json},
    tokens::AccessToken,
};
use axum::extract::{FromRequestParts, Path, State};
use http::{StatusCode, request::Parts};
use serde::{Deserialize, Serialize};
use time::Duration;

const SCOPES: [&str; 5] = ["chat", "chat.join", "chat.join.limited", "voip", "voip.join"];

/// Bounds of a token's lifetime in minutes. The upper one is also the default.
const MIN_LIFETIME: i32 = 60;
const MAX_LIFETIME: i32 = 1440;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CreateRequest {
    create_token_with_scopes: Option<Vec<String>>,
    expires_in_minutes: Option<i32>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Created {
    identity: Identity,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<AccessToken>,
}

#[derive(Serialize)]
struct Identity {
    id: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct IssueRequest {
    scopes: Option<Vec<String>>,
    expires_in_minutes: Option<i32>,
}

/// The id in the path, percent-decoded; empty if that is not UTF-8.
pub(super) struct RawId(String);

impl<S: Send + Sync> FromRequestParts<S> for RawId {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let path = Path::from_request_parts(parts, state).await;
        Ok(Self(path.map(|Path(id)| id).unwrap_or_default()))
    }
}

impl RawId {
    fn parse(&self) -> Result<IdentityId, ServiceError> {
        IdentityId::parse(&self.0).ok_or_else(ServiceError::identity_not_owned)
    }
}

/// `POST /identities`
pub(super) async fn create(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Json(request): Json<CreateRequest>,
) -> Result<Answer<Created>, ServiceError> {
    let request = request.unwrap_or_default();
    let scopes = request.create_token_with_scopes.unwrap_or_default();
    check_scopes(&scopes, "createTokenWithScopes")?;
    let lifetime = lifetime(request.expires_in_minutes)?;

    let id = resource.registry.create(resource.clock.now());
    let access_token = if scopes.is_empty() {
        None
    } else {
        resource.issue_user_token(id, &scopes, lifetime).await?
    };
    let identity = Identity { id: id.to_string() };
    Ok(Answer(StatusCode::CREATED, Created { identity, access_token }))
}

/// `DELETE /identities/{id}`
pub(super) async fn delete(
    State(Endpoint { resource, .. }): State<Endpoint>,
    id: RawId,
) -> Result<StatusCode, ServiceError> {
    owned(resource.registry.delete(id.parse()?))
}

/// `POST /identities/{id}/:revokeAccessTokens`
pub(super) async fn revoke_access_tokens(
    State(Endpoint { resource, .. }): State<Endpoint>,
    id: RawId,
) -> Result<StatusCode, ServiceError> {
    owned(resource.registry.revoke_tokens(id.parse()?))
}

/// `POST /identities/{id}/:issueAccessToken`
pub(super) async fn issue_access_token(
    State(Endpoint { resource, .. }): State<Endpoint>,
    id: RawId,
    Json(request): Json<IssueRequest>,
) -> Result<Answer<AccessToken>, ServiceError> {
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

    let token = resource.issue_user_token(id.parse()?, &scopes, lifetime).await?;
    Ok(Answer(
        StatusCode::OK,
        token.ok_or_else(ServiceError::identity_not_owned)?,
    ))
}

fn owned(is_owned: bool) -> Result<StatusCode, ServiceError> {
    if is_owned {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ServiceError::identity_not_owned())
    }
}

fn check_scopes(scopes: &[String], target: &'static str) -> Result<(), ServiceError> {
    if scopes.iter().all(|scope| SCOPES.contains(&scope.as_str())) {
        return Ok(());
    }
    let message = format!("Invalid scopes - Supported scopes are {}.", SCOPES.join(", "));
    Err(ServiceError::validation(target, message))
}

fn lifetime(minutes: Option<i32>) -> Result<Duration, ServiceError> {
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
