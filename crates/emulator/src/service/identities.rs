//! Operations on identities.

use crate::{
    auth::KeyNumber,
    endpoint::Endpoint,
    rate_limits::Quota,
    service::{
        Answer, ConcernedIdentity, ServiceError,
        access_tokens::{check_scopes, lifetime},
        body::Json,
        identity::{Identity, IdentityAndToken},
        raw_id::{RawId, owned},
    },
};
use axum::extract::{Extension, State};
use http::StatusCode;
use serde::Deserialize;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CreateRequest {
    create_token_with_scopes: Option<Vec<String>>,
    expires_in_minutes: Option<i32>,
}

/// `POST /identities`
pub(super) async fn create(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Extension(key): Extension<KeyNumber>,
    Json(request): Json<CreateRequest>,
) -> Result<(Extension<ConcernedIdentity>, Answer<IdentityAndToken>), ServiceError> {
    let request = request.unwrap_or_default();
    let scopes = request.create_token_with_scopes.unwrap_or_default();
    resource.count(if scopes.is_empty() {
        Quota::CreateIdentity
    } else {
        Quota::CreateIdentityAndToken
    })?;
    check_scopes(&scopes, "createTokenWithScopes")?;
    let lifetime = lifetime(request.expires_in_minutes)?;

    let (id, access_token) = resource.create_identity(&scopes, lifetime, key).await?;
    let id = id.to_string();
    let answer = IdentityAndToken {
        identity: Identity { id: id.clone() },
        access_token,
    };
    Ok((Extension(ConcernedIdentity(id)), Answer(StatusCode::CREATED, answer)))
}

/// `DELETE /identities/{id}`
pub(super) async fn delete(
    State(Endpoint { resource, .. }): State<Endpoint>,
    id: RawId,
) -> Result<StatusCode, ServiceError> {
    resource.count(Quota::DeleteIdentity)?;
    owned(&resource, resource.registry.delete(id.parse(&resource)?)).await
}
