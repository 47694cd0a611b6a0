//! Assignments of Teams users and resource accounts to Teams Phone extensibility:
//! `/access/teamsExtension/tenants/{tenantId}/assignments/{objectId}`

use crate::{
    endpoint::Endpoint,
    identities::{Assignment, PrincipalType},
    service::{
        Answer, ServiceError,
        assignments::{answer_to_get, answer_to_put, client_ids, principal_type},
        body::Json,
        guid, path,
    },
};
use axum::extract::{FromRequestParts, State};
use http::{StatusCode, request::Parts};
use serde::Deserialize;
use uuid::Uuid;

const PRINCIPAL_TYPES: &[PrincipalType] = &[
    PrincipalType::User,
    PrincipalType::ResourceAccount,
    PrincipalType::TeamsResourceAccount,
];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::service) struct PutRequest {
    principal_type: Option<String>,
    client_ids: Option<Vec<String>>,
}

/// The tenant id and object id in the path.
pub(in crate::service) struct Key(Uuid, Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(
            guid::parse(&path::parameter(parts, "tenant_id"), "TenantId", "tenantId")?,
            guid::parse(&path::parameter(parts, "object_id"), "ObjectId", "objectId")?,
        ))
    }
}

pub(in crate::service) async fn get(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Key(tenant_id, object_id): Key,
) -> Result<Answer<Assignment>, ServiceError> {
    let assignment = resource.teams_extension_assignments.get(&(tenant_id, object_id));
    answer_to_get(&resource.store, assignment).await
}

pub(in crate::service) async fn put(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Key(tenant_id, object_id): Key,
    Json(request): Json<PutRequest>,
) -> Result<Answer<Assignment>, ServiceError> {
    let request = request.unwrap_or_default();
    let assignment = Assignment {
        object_id,
        tenant_id,
        principal_type: principal_type(request.principal_type, PRINCIPAL_TYPES)?,
        client_ids: Some(client_ids(&request.client_ids.unwrap_or_default())?).filter(|ids| !ids.is_empty()),
    };
    let (is_new, changed) = resource.teams_extension_assignments.put(assignment.clone());
    resource.store.wait(changed).await?;
    Ok(answer_to_put(assignment, is_new))
}

pub(in crate::service) async fn delete(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Key(tenant_id, object_id): Key,
) -> Result<StatusCode, ServiceError> {
    let changed = resource.teams_extension_assignments.delete(&(tenant_id, object_id));
    resource.store.wait(changed).await?;
    Ok(StatusCode::NO_CONTENT)
}
