//! Routes of the emulator.

use crate::{
    control,
    endpoint::Endpoint,
    note::note,
    service::{self, Refusal},
};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use tracing::{debug, field::display, info};

pub(crate) fn router(endpoint: Endpoint) -> Router {
    let service = service::router(endpoint.clone()).layer(from_fn_with_state(endpoint.clone(), note));
    control::router(endpoint.clone())
        .layer(from_fn_with_state(endpoint, log))
        .fallback_service(service)
}

/// Logs a request to the control surface. A page that watches the emulator sends one every second, so only failures are
/// of interest.
async fn log(State(Endpoint { resource, .. }): State<Endpoint>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let method = resource.access_keys.hide(method.as_str());
    let path = &*resource.access_keys.hide(&path);
    let status = response.status().as_u16();
    if let Some(Refusal { code, reason, .. }) = response.extensions().get() {
        let reason = reason.as_ref().map(display);
        info!(%method, path, status, code = code.as_deref(), reason);
    } else {
        debug!(%method, path, status);
    }
    response
}
