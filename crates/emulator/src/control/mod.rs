//! The control surface: what tests and developers need and the real service does not offer.

mod access_keys;
mod guard;
mod state;
mod tokens;

use crate::{endpoint::Endpoint, service::ServiceError};
use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{any, get, post},
};

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
        .route("/_emulator/keys", get(tokens::keys))
        .route("/_emulator/tokens", get(tokens::list))
        .route("/_emulator/tokens/introspect", post(tokens::introspect))
        .route("/_emulator/entra/tokens", post(tokens::mint_entra_token))
        .route("/_emulator/{*other}", any(|| async { ServiceError::not_found() }))
        .method_not_allowed_fallback(|| async { ServiceError::method_not_allowed() })
        .layer(from_fn_with_state(endpoint.scheme, guard::require_local))
        .with_state(endpoint)
}
