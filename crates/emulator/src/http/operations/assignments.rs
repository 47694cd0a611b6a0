//! Operations on assignments, of Teams Phone extensibility and of Entra ID.

use crate::{
    http::{
        JsonResponse, Service, ServiceError,
        json_body::{FromMembers, Json, Members},
        request::{parse_guid, path_parameter, required_guid},
    },
    identities::{Assignment, AssignmentKey, PrincipalType},
    storage::{Receipt, Store},
};
use axum::extract::{FromRequestParts, State};
use http::{StatusCode, request::Parts};
use serde::Serialize;
use std::sync::Arc;
use uuid::Uuid;

/// The tenant id and object id in the path.
pub(super) struct TeamsExtensionKey(Uuid, Uuid);

impl<S: Send + Sync> FromRequestParts<S> for TeamsExtensionKey {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(
            parse_guid(&path_parameter(parts, "tenant_id"), "TenantId", "tenantId")?,
            object_id(parts)?,
        ))
    }
}

/// The object id in the path.
pub(super) struct EntraKey(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for EntraKey {
    type Rejection = ServiceError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(object_id(parts)?))
    }
}

fn object_id(parts: &Parts) -> Result<Uuid, ServiceError> {
    parse_guid(&path_parameter(parts, "object_id"), "ObjectId", "objectId")
}

pub(super) async fn get_teams_extension(
    State(service): State<Arc<Service>>,
    TeamsExtensionKey(tenant_id, object_id): TeamsExtensionKey,
) -> Result<JsonResponse<Assignment>, ServiceError> {
    let resource = &service.resource;
    let found = resource.teams_extension_assignments.get(&(tenant_id, object_id));
    existing(&resource.store, found).await
}

pub(super) async fn get_entra(
    State(service): State<Arc<Service>>,
    EntraKey(object_id): EntraKey,
) -> Result<JsonResponse<Assignment>, ServiceError> {
    let resource = &service.resource;
    existing(&resource.store, resource.entra_assignments.get(&object_id)).await
}

async fn existing(store: &Store, found: Option<Assignment>) -> Result<JsonResponse<Assignment>, ServiceError> {
    if found.is_none() {
        store.wait_for_all().await?;
    }
    let assignment = found.ok_or_else(ServiceError::assignment_not_found)?;
    Ok(JsonResponse(StatusCode::OK, assignment))
}

/// All assignments, on one page.
#[derive(Serialize)]
pub(super) struct AssignmentList {
    value: Vec<Assignment>,
}

pub(super) async fn list_entra(State(service): State<Arc<Service>>) -> JsonResponse<AssignmentList> {
    let value = service.resource.entra_assignments.list();
    JsonResponse(StatusCode::OK, AssignmentList { value })
}

#[derive(Default)]
pub(super) struct TeamsExtensionRequest {
    principal_type: Option<String>,
    client_ids: Option<Vec<String>>,
}

impl FromMembers for TeamsExtensionRequest {
    fn from_members(members: &Members<'_>) -> Result<Self, ServiceError> {
        Ok(Self {
            principal_type: members.get("principalType")?,
            client_ids: members.get("clientIds")?,
        })
    }
}

pub(super) async fn put_teams_extension(
    State(service): State<Arc<Service>>,
    TeamsExtensionKey(tenant_id, object_id): TeamsExtensionKey,
    Json(request): Json<TeamsExtensionRequest>,
) -> Result<JsonResponse<Assignment>, ServiceError> {
    let request = request.unwrap_or_default();
    let assignment = Assignment {
        object_id,
        tenant_id,
        principal_type: principal_type::<(Uuid, Uuid)>(request.principal_type)?,
        client_ids: Some(client_ids(&request.client_ids.unwrap_or_default())?).filter(|ids| !ids.is_empty()),
    };
    let resource = &service.resource;
    let (is_new, receipt) = resource.teams_extension_assignments.put(assignment.clone());
    put(&resource.store, assignment, is_new, receipt).await
}

#[derive(Default)]
pub(super) struct EntraRequest {
    principal_type: Option<String>,
    tenant_id: Option<String>,
    client_ids: Option<Vec<String>>,
}

impl FromMembers for EntraRequest {
    fn from_members(members: &Members<'_>) -> Result<Self, ServiceError> {
        Ok(Self {
            principal_type: members.get("principalType")?,
            tenant_id: members.get("tenantId")?,
            client_ids: members.get("clientIds")?,
        })
    }
}

pub(super) async fn put_entra(
    State(service): State<Arc<Service>>,
    EntraKey(object_id): EntraKey,
    Json(request): Json<EntraRequest>,
) -> Result<JsonResponse<Assignment>, ServiceError> {
    let request = request.unwrap_or_default();
    let principal_type = principal_type::<Uuid>(request.principal_type)?;
    let tenant_id = required_guid(request.tenant_id, "TenantId", "tenantId")?;
    let ids = request.client_ids.ok_or_else(|| ServiceError::required("ClientIds"))?;
    let assignment = Assignment {
        object_id,
        tenant_id,
        principal_type,
        client_ids: Some(client_ids(&ids)?),
    };
    let resource = &service.resource;
    let (is_new, receipt) = resource.entra_assignments.put(assignment.clone());
    put(&resource.store, assignment, is_new, receipt).await
}

async fn put(
    store: &Store,
    assignment: Assignment,
    is_new: bool,
    receipt: Receipt,
) -> Result<JsonResponse<Assignment>, ServiceError> {
    store.wait(receipt).await?;
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Ok(JsonResponse(status, assignment))
}

/// Parses the kind of the principal of an assignment with the key `K`.
fn principal_type<K: AssignmentKey>(name: Option<String>) -> Result<PrincipalType, ServiceError> {
    let supported = K::PRINCIPAL_TYPES;
    let name = name
        .filter(|name| !name.is_empty())
        .ok_or_else(|| ServiceError::required("PrincipalType"))?;
    let found = supported.iter().find(|principal_type| principal_type.name() == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = supported.iter().map(|principal_type| principal_type.name()).collect();
        let message = format!("Invalid principalType - Supported types are {}.", names.join(", "));
        ServiceError::validation("principalType", message)
    })
}

fn client_ids(ids: &[String]) -> Result<Vec<Uuid>, ServiceError> {
    ids.iter().map(|id| parse_guid(id, "ClientIds", "clientIds")).collect()
}

pub(super) async fn delete_teams_extension(
    State(service): State<Arc<Service>>,
    TeamsExtensionKey(tenant_id, object_id): TeamsExtensionKey,
) -> Result<StatusCode, ServiceError> {
    let resource = &service.resource;
    let receipt = resource.teams_extension_assignments.delete(&(tenant_id, object_id));
    resource.store.wait(receipt).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn delete_entra(
    State(service): State<Arc<Service>>,
    EntraKey(object_id): EntraKey,
) -> Result<StatusCode, ServiceError> {
    let resource = &service.resource;
    let receipt = resource.entra_assignments.delete(&object_id);
    resource.store.wait(receipt).await?;
    Ok(StatusCode::NO_CONTENT)
}
