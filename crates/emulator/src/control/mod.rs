//! The control surface: what tests and developers need and the real service does not offer.

mod access_keys;
mod faults;
mod guard;
mod page;
mod settings;
mod state;
mod tokens;

use crate::{endpoint::Endpoint, json_object::JsonObject, service::ServiceError};
use axum::{
    Router,
    middleware::{from_fn_with_state, map_response},
    routing::{any, delete, get, post},
};
use http::StatusCode;
use serde::de::DeserializeOwned;
use std::borrow::Cow;

type Result<T> = std::result::Result<crate::service::Answer<T>, ServiceError>;

pub(crate) fn router(endpoint: Endpoint) -> Router {
    Router::new()
        .route("/_emulator/resource", get(state::resource))
        .route("/_emulator/requests", get(state::requests))
        .route("/_emulator/refusals", get(state::refusals))
        .route("/_emulator/identities", get(state::identities))
        .route("/_emulator/access-keys", get(access_keys::list))
        .route(
            "/_emulator/access-keys/{kind}/regenerate",
            post(access_keys::regenerate),
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
        .layer(from_fn_with_state(endpoint.scheme, guard::require_local))
        .layer(map_response(guard::keep_private))
        .with_state(endpoint)
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
