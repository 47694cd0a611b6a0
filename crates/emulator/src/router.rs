//! Routes of the emulator.

use crate::{
    control,
    endpoint::Endpoint,
    refusals::RefusedRequest,
    resource::Resource,
    service::{self, Refusal},
};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use http::StatusCode;
use std::sync::Arc;
use tracing::{field::display, info};

pub(crate) fn router(endpoint: Endpoint) -> Router {
    let resource = endpoint.resource.clone();
    control::router(endpoint.clone())
        .fallback_service(service::router(endpoint))
        .layer(from_fn_with_state(resource, log))
}

/// Logs one line per request, without its query, headers and body, which may contain secrets, and notes refused ones.
async fn log(State(resource): State<Arc<Resource>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    let Some(Refusal { code, reason, .. }) = response.extensions().get() else {
        info!(%method, path, status);
        return response;
    };
    // Not quoted, so that the backslashes of an explanation are not doubled. A reason is one line.
    let unquoted = reason.as_ref().map(display);
    info!(%method, path, status, code, reason = unquoted);
    if response.status() == StatusCode::UNAUTHORIZED {
        resource.refusals.add(RefusedRequest {
            time: resource.clock.now(),
            method: method.to_string(),
            path,
            status,
            code,
            explanation: reason.clone(),
        });
    }
    response
}
