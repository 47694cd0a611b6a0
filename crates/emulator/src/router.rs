//! Routes of the emulator.

use crate::{
    control,
    endpoint::Endpoint,
    service::{self, Refusal},
};
use axum::{
    Router,
    extract::Request,
    middleware::{Next, from_fn},
    response::Response,
};
use tracing::info;

pub(crate) fn router(endpoint: Endpoint) -> Router {
    control::router(endpoint.clone())
        .fallback_service(service::router(endpoint))
        .layer(from_fn(log))
}

/// Logs one line per request, without its query, headers and body, which may contain secrets.
async fn log(request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let status = response.status().as_u16();
    match response.extensions().get::<Refusal>() {
        None => info!(%method, path, status),
        Some(Refusal { code, reason, .. }) => info!(%method, path, status, code, reason),
    }
    response
}
