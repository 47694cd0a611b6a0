//! The injected faults.

use super::{Result, invalid, object};
use crate::{
    endpoint::Endpoint,
    faults::{Fault, FaultId, InjectedFault},
    service::{Answer, RequestBody, ServiceError},
};
use axum::extract::{Path, State, rejection::PathRejection};
use http::StatusCode;
use serde::Serialize;

#[derive(Serialize)]
pub(super) struct FaultList {
    faults: Vec<InjectedFault>,
}

/// `GET /_emulator/faults`
pub(super) async fn list(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<FaultList> {
    let faults = resource.faults.list();
    Answer(StatusCode::OK, FaultList { faults })
}

/// `POST /_emulator/faults`
pub(super) async fn inject(
    State(Endpoint { resource, .. }): State<Endpoint>,
    RequestBody(body): RequestBody,
) -> Result<InjectedFault> {
    let example = r#"{"effect":"status","status":503,"times":3}"#;
    let fault: Fault = object(&body, example)?;
    let injected = resource.faults.inject(fault);
    Ok(Answer(
        StatusCode::CREATED,
        injected.map_err(|error| invalid(format!("{error}.")))?,
    ))
}

/// `DELETE /_emulator/faults`
pub(super) async fn clear(State(Endpoint { resource, .. }): State<Endpoint>) -> StatusCode {
    resource.faults.clear();
    StatusCode::NO_CONTENT
}

/// `DELETE /_emulator/faults/{id}`
pub(super) async fn remove(
    State(Endpoint { resource, .. }): State<Endpoint>,
    id: std::result::Result<Path<FaultId>, PathRejection>,
) -> std::result::Result<StatusCode, ServiceError> {
    match id {
        Ok(Path(id)) if resource.faults.remove(id) => Ok(StatusCode::NO_CONTENT),
        _ => Err(ServiceError::not_found()),
    }
}
