//! Assignments of users, groups and tenants of Entra ID: `/access/entra/assignments/{objectId}`

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
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const PRINCIPAL_TYPES: &[PrincipalType] = &[PrincipalType::User, PrincipalType::Group, PrincipalType::Tenant];

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::service) struct PutRequest {
    principal_type: Option<String>,
    tenant_id: Option<String>,
    client_ids: Option<Vec<String>>,
}

/// All assignments, on one page.
#[derive(Serialize)]
pub(in crate::service) struct List {
    value: Vec<Assignment>,
}

/// The object id in the path.
pub(in crate::service) struct Key(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for Key {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let object_id = path::parameter(parts, "object_id");
        Ok(Self(guid::parse(&object_id, "ObjectId", "objectId")?))
    }
}

/// `GET /access/entra/assignments`
pub(in crate::service) async fn list(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<List> {
    let value = resource.entra_assignments.list();
    Answer(StatusCode::OK, List { value })
}

pub(in crate::service) async fn get(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Key(object_id): Key,
) -> Result<Answer<Assignment>, ServiceError> {
    answer_to_get(&resource.store, resource.entra_assignments.get(&object_id)).await
}

pub(in crate::service) async fn put(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Key(object_id): Key,
    Json(request): Json<PutRequest>,
) -> Result<Answer<Assignment>, ServiceError> {
    let request = request.unwrap_or_default();
    let principal_type = principal_type(request.principal_type, PRINCIPAL_TYPES)?;
    let tenant_id = guid::required(request.tenant_id, "TenantId", "tenantId")?;
    let ids = request.client_ids.ok_or_else(|| ServiceError::required("ClientIds"))?;
    let assignment = Assignment {
        object_id,
        tenant_id,
        principal_type,
        client_ids: Some(client_ids(&ids)?),
    };
    let (is_new, changed) = resource.entra_assignments.put(assignment.clone());
    resource.store.wait(changed).await?;
    Ok(answer_to_put(assignment, is_new))
}

pub(in crate::service) async fn delete(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Key(object_id): Key,
) -> Result<StatusCode, ServiceError> {
    let changed = resource.entra_assignments.delete(&object_id);
    resource.store.wait(changed).await?;
    Ok(StatusCode::NO_CONTENT)
}
