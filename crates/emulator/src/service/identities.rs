//! Operations on identities.

use crate::{
    endpoint::Endpoint,
    service::{
        Answer, ServiceError,
        access_tokens::{check_scopes, lifetime},
        body::Json,
        raw_id::{RawId, owned},
    },
    tokens::AccessToken,
};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};

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
