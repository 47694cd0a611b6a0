//! Routes of the emulator.

use crate::{
    control,
    endpoint::Endpoint,
    journal::Answered,
    resource::Resource,
    service::{self, ConcernedIdentity, Refusal},
};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
};
use std::{sync::Arc, time::Instant};
use tracing::{debug, field::display, info};

pub(crate) fn router(endpoint: Endpoint) -> Router {
    let service = service::router(endpoint.clone()).layer(from_fn_with_state(endpoint.resource.clone(), note));
    control::router(endpoint).layer(from_fn(log)).fallback_service(service)
}

/// Logs a request to the service and how it was answered, without its query, headers and body, which may contain
/// secrets, and adds it to the journal.
async fn note(State(resource): State<Arc<Resource>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let mut response = next.run(request).await;
    let status = response.status().as_u16();
    let (code, explanation) = match response.extensions_mut().remove() {
        Some(Refusal { code, reason, .. }) => (Some(code), reason),
        None => (None, None),
    };
    // Not quoted, so that the backslashes of an explanation are not doubled. A reason is one line.
    let reason = explanation.as_ref().map(display);
    info!(%method, path, status, code, reason);
    let identity = response.extensions_mut().remove();
    resource.journal.add(Answered {
        time: resource.clock.now(),
        method: &method,
        path: &path,
        identity: identity.map(|ConcernedIdentity(id)| id),
        status,
        duration: started.elapsed(),
        code,
        explanation,
    });
    response
}

/// Logs a request to the control surface. A page that watches the emulator sends one every second, so only failures are
/// of interest.
async fn log(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    if let Some(Refusal { code, reason, .. }) = response.extensions().get() {
        let reason = reason.as_ref().map(display);
        info!(%method, path, status, code, reason);
    } else {
        debug!(%method, path, status);
    }
    response
}
