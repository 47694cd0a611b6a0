//! Routes of the emulator.

use crate::{
    control,
    endpoint::Endpoint,
    faults::Strike,
    journal::Answered,
    reset::ResetConnection,
    service::{self, ConcernedIdentity, Refusal},
};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::Response,
};
use std::time::Instant;
use tracing::{debug, field::display, info};

pub(crate) fn router(endpoint: Endpoint) -> Router {
    let service = service::router(endpoint.clone()).layer(from_fn_with_state(endpoint.clone(), note));
    control::router(endpoint).layer(from_fn(log)).fallback_service(service)
}

/// Lets the request have its faults. Logs how it was answered, without its query, headers and body, which may contain
/// secrets, and adds it to the journal.
async fn note(State(endpoint): State<Endpoint>, request: Request, next: Next) -> Response {
    let resource = &endpoint.resource;
    let started = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let strike = resource.faults.strike(&method, &path);
    let mut response = match &strike {
        None => next.run(request).await,
        Some(strike) => strike.carry_out(&endpoint, request, next).await,
    };
    // Where the operation did not run and nothing is sent, no status was decided.
    let reset = response.extensions().get();
    let is_decided = reset != Some(&ResetConnection::BeforeCommit);
    let status = is_decided.then(|| response.status().as_u16());
    let fault = strike.as_ref().map(Strike::description);
    let (code, explanation) = match response.extensions_mut().remove() {
        Some(Refusal { code, reason, .. }) => (Some(code), reason),
        None => (None, None),
    };
    // Not quoted, so that the backslashes of an explanation are not doubled. A reason is one line.
    let reason = explanation.as_ref().map(display);
    info!(%method, path, status, fault, code, reason);
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
        fault,
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
