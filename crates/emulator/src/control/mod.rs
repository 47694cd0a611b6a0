//! The control surface: requests for tests and developers that the service does not have.

mod faults;
mod guard;
mod health;
mod page;
mod settings;
mod state;
mod tokens;

use crate::{
    http::{Endpoint, JsonResponse, Refusal, Service, ServiceError},
    json_object::JsonObject,
};
use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state, map_response},
    response::Response,
    routing::{any, delete, get, post},
};
use http::StatusCode;
use serde::de::DeserializeOwned;
use std::{borrow::Cow, sync::Arc};
use tracing::{debug, field::display, info};

type Result<T> = std::result::Result<JsonResponse<T>, ServiceError>;

pub(crate) fn router(endpoint: &Endpoint) -> Router {
    Router::new()
        .route("/_emulator/resource", get(state::resource))
        .route("/_emulator/requests", get(state::requests))
        .route("/_emulator/refusals", get(state::refusals))
        .route("/_emulator/identities", get(state::identities))
        .route("/_emulator/state", get(state::export).put(state::import))
        .route("/_emulator/reset", post(state::reset))
        .route("/_emulator/access-keys", get(state::access_keys))
        .route(
            "/_emulator/access-keys/{kind}/regenerate",
            post(state::regenerate_access_key),
        )
        .route(
            "/_emulator/faults",
            get(faults::list).post(faults::inject).delete(faults::clear),
        )
        .route("/_emulator/faults/{id}", delete(faults::remove))
        .route("/_emulator/settings", get(settings::get).patch(settings::change))
        .route("/_emulator/keys", get(tokens::keys))
        .route("/_emulator/tokens", get(tokens::list))
        .route("/_emulator/tokens/introspect", post(tokens::introspect))
        .route("/_emulator/entra/tokens", post(tokens::mint_entra_token))
        .route("/_emulator/{*other}", any(|| async { ServiceError::not_found() }))
        .method_not_allowed_fallback(|| async { ServiceError::method_not_allowed() })
        .merge(page::router())
        .layer(from_fn_with_state(endpoint.clone(), guard::require_access))
        .route("/_emulator/health", get(health::health))
        .layer(map_response(guard::add_privacy_headers))
        .layer(from_fn_with_state(endpoint.service.clone(), log))
        .with_state(endpoint.clone())
}

/// Logs a request to the control surface, a failure at a higher level, as a page that watches the emulator sends
/// requests every second.
async fn log(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let response = next.run(request).await;
    let method = service.redact(method.as_str());
    let path = &*service.redact(&path);
    let status = response.status().as_u16();
    if let Some(Refusal { code, reason, .. }) = response.extensions().get() {
        let reason = reason.as_ref().map(display);
        info!(%method, path, status, code = code.as_deref(), reason);
    } else {
        debug!(%method, path, status);
    }
    response
}

/// Reads a JSON object. serde's error names the members that are known; the example shows the rest.
fn object<T: DeserializeOwned>(body: &[u8], example: &str) -> std::result::Result<T, ServiceError> {
    match serde_json::from_slice(body) {
        Ok(JsonObject(value)) => Ok(value),
        Err(error) => Err(invalid(format!("{error}. Send JSON such as {example}."))),
    }
}

fn invalid(message: impl Into<Cow<'static, str>>) -> ServiceError {
    ServiceError::new(StatusCode::BAD_REQUEST, "InvalidRequest", message)
}
