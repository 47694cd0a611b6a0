//! The injected faults.

use super::{Result, invalid, object};
use crate::{
    faults::{Fault, FaultId, InjectedFault},
    http::{JsonResponse, RequestBody, Service, ServiceError},
};
use axum::extract::{Path, State, rejection::PathRejection};
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
pub(super) struct FaultList {
    faults: Vec<InjectedFault>,
}

/// `GET /_emulator/faults`
pub(super) async fn list(State(service): State<Arc<Service>>) -> JsonResponse<FaultList> {
    let faults = service.faults.list();
    JsonResponse(StatusCode::OK, FaultList { faults })
}

/// `POST /_emulator/faults`
pub(super) async fn inject(
    State(service): State<Arc<Service>>,
    RequestBody(body): RequestBody,
) -> Result<InjectedFault> {
    let example = r#"{"effect":"status","status":503,"times":3}"#;
    let fault: Fault = object(&body, example)?;
    let injected = service.faults.inject(fault);
    Ok(JsonResponse(
        StatusCode::CREATED,
        injected.map_err(|error| invalid(format!("{error}.")))?,
    ))
}

/// `DELETE /_emulator/faults`
pub(super) async fn clear(State(service): State<Arc<Service>>) -> StatusCode {
    service.faults.clear();
    StatusCode::NO_CONTENT
}

/// `DELETE /_emulator/faults/{id}`
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    id: std::result::Result<Path<FaultId>, PathRejection>,
) -> std::result::Result<StatusCode, ServiceError> {
    match id {
        Ok(Path(id)) if service.faults.remove(id) => Ok(StatusCode::NO_CONTENT),
        _ => Err(ServiceError::not_found()),
    }
}
