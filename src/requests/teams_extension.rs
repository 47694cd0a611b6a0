//! Requests about assignments of Teams Phone extensibility.

use super::Service;
use crate::models::{TeamsExtensionAssignmentId, TeamsExtensionPrincipal};
use azure_core::{
    Result,
    http::{Method, Request},
};

/// `GET /access/teamsExtension/tenants/{tenantId}/assignments/{objectId}`
pub(crate) fn get_assignment(service: &Service, id: &TeamsExtensionAssignmentId) -> Request {
    service.request(Method::Get, &path(id))
}

/// `PUT /access/teamsExtension/tenants/{tenantId}/assignments/{objectId}`
pub(crate) fn create_or_replace_assignment(
    service: &Service,
    id: &TeamsExtensionAssignmentId,
    principal: &TeamsExtensionPrincipal,
) -> Result<Request> {
    service.request_with_json(Method::Put, &path(id), principal)
}

/// `DELETE /access/teamsExtension/tenants/{tenantId}/assignments/{objectId}`
pub(crate) fn delete_assignment(service: &Service, id: &TeamsExtensionAssignmentId) -> Request {
    service.request(Method::Delete, &path(id))
}

fn path(id: &TeamsExtensionAssignmentId) -> String {
    let TeamsExtensionAssignmentId { tenant_id, object_id } = id;
    format!("/access/teamsExtension/tenants/{tenant_id}/assignments/{object_id}")
}
