//! The health of the emulator, for anything that waits until it is ready.

use crate::http::{JsonResponse, Service};
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use std::sync::Arc;

#[derive(Serialize)]
pub(super) struct Health {
    status: &'static str,
    version: &'static str,
}

/// `GET /_emulator/health`
///
/// Open to all, on every address and for every `Host`, as it shows nothing secret.
pub(super) async fn health(State(service): State<Arc<Service>>) -> JsonResponse<Health> {
    let (code, status) = if service.resource.store.has_failed() {
        (StatusCode::SERVICE_UNAVAILABLE, "dataFileFailed")
    } else {
        (StatusCode::OK, "ready")
    };
    let version = env!("CARGO_PKG_VERSION");
    JsonResponse(code, Health { status, version })
}
