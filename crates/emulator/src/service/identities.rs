//! Operations on identities.

use crate::{
    access_keys::KeyNumber,
    endpoint::Endpoint,
    rate_limits::Quota,
    service::{
        Answer, ConcernedIdentity, ServiceError,
        access_tokens::{check_scopes, lifetime},
        api_version::IsPreview,
        body::Json,
        identity::{Identity, IdentityAndToken},
        raw_id::{RawId, existing, owned},
    },
};
use axum::extract::{Extension, State};
use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

/// The most characters that a custom id may have.
const MAX_CUSTOM_ID: usize = 256;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct CreateRequest {
    create_token_with_scopes: Option<Vec<String>>,
    expires_in_minutes: Option<i32>,
    /// Unknown to the stable versions, which accept anything here.
    custom_id: Value,
}

/// `POST /identities`
///
/// The preview version finds an identity by its custom id, and tells more about it.
pub(super) async fn create(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Extension(key): Extension<KeyNumber>,
    Extension(IsPreview(is_preview)): Extension<IsPreview>,
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
    let custom_id = if is_preview {
        custom_id(request.custom_id)?
    } else {
        None
    };

    let (identity, access_token) = resource.create_identity(custom_id, &scopes, lifetime, key).await?;
    let concerned = ConcernedIdentity(identity.id.to_string());
    let identity = if is_preview {
        identity.into()
    } else {
        Identity::of_id(identity.id.to_string())
    };
    // Also for an identity that existed: the specification has no other status, and .NET's client accepts no other.
    let answer = Answer(StatusCode::CREATED, IdentityAndToken { identity, access_token });
    Ok((Extension(concerned), answer))
}

/// `GET /identities/{id}`
pub(super) async fn get(
    State(Endpoint { resource, .. }): State<Endpoint>,
    id: RawId,
) -> Result<Answer<Identity>, ServiceError> {
    let identity = resource.registry.get(id.parse(&resource)?);
    Ok(Answer(StatusCode::OK, existing(&resource, identity).await?.into()))
}

/// `DELETE /identities/{id}`
pub(super) async fn delete(
    State(Endpoint { resource, .. }): State<Endpoint>,
    id: RawId,
) -> Result<StatusCode, ServiceError> {
    resource.count(Quota::DeleteIdentity)?;
    owned(&resource, resource.registry.delete(id.parse(&resource)?)).await
}

fn custom_id(value: Value) -> Result<Option<String>, ServiceError> {
    match value {
        Value::Null => Ok(None),
        Value::String(id) if (1..=MAX_CUSTOM_ID).contains(&id.chars().count()) => Ok(Some(id)),
        _ => {
            let message = format!("CustomId is invalid. It must have 1 to {MAX_CUSTOM_ID} characters.");
            Err(ServiceError::validation("customId", message))
        }
    }
}
