//! Operations on assignments.

pub(super) mod entra;
pub(super) mod teams_extension;

use crate::{
    identities::{Assignment, PrincipalType},
    service::{Answer, ServiceError, guid},
    storage::Store,
};
use http::StatusCode;
use uuid::Uuid;

fn principal_type(name: Option<String>, supported: &[PrincipalType]) -> Result<PrincipalType, ServiceError> {
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
    ids.iter().map(|id| guid::parse(id, "ClientIds", "clientIds")).collect()
}

async fn answer_to_get(store: &Store, assignment: Option<Assignment>) -> Result<Answer<Assignment>, ServiceError> {
    if assignment.is_none() {
        store.wait_for_all().await?;
    }
    let assignment = assignment.ok_or_else(ServiceError::assignment_not_found)?;
    Ok(Answer(StatusCode::OK, assignment))
}

fn answer_to_put(assignment: Assignment, is_new: bool) -> Answer<Assignment> {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    Answer(status, assignment)
}
