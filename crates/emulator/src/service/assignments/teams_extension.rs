//! Assignments of Teams users and resource accounts to Teams Phone extensibility:
//! `/access/teamsExtension/tenants/{tenantId}/assignments/{objectId}`

use crate::{
    assignments::{Assignment, PrincipalType},
    endpoint::Endpoint,
    service::{
        Answer, ServiceError,
        assignments::{self, client_ids, found, principal_type},
        body::Json,
        guid,
    },
};
use axum::extract::{FromRequestParts, Path, State};
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

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        // What is not UTF-8 when percent-decoded is not a GUID either.
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (tenant_id, object_id) = path.map(|Path(ids)| ids).unwrap_or_default();
        Ok(Self(
            guid::parse(&tenant_id, "TenantId", "tenantId")?,
            guid::parse(&object_id, "ObjectId", "objectId")?,
        ))
    }
}

pub(in crate::service) async fn get(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Key(tenant_id, object_id): Key,
) -> Result<Answer<Assignment>, ServiceError> {
    found(resource.teams_extension_assignments.get(&(tenant_id, object_id)))
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
    let key = (tenant_id, object_id);
    let is_new = resource.teams_extension_assignments.put(key, assignment.clone());
    Ok(assignments::put(assignment, is_new))
}

pub(in crate::service) async fn delete(
    State(Endpoint { resource, .. }): State<Endpoint>,
    Key(tenant_id, object_id): Key,
) -> StatusCode {
    resource.teams_extension_assignments.delete(&(tenant_id, object_id));
    StatusCode::NO_CONTENT
}
