//! The control surface: what tests need and the real service does not offer.

mod guard;

use crate::{
    endpoint::Endpoint,
    http_date,
    json_object::JsonObject,
    refusals::RefusedRequest,
    resource::TokenStatus,
    service::{Answer, RequestBody, ServiceError},
    tokens::{EntraToken, EntraTokenRequest, Jwk, Jwt},
};
use axum::{
    Router,
    extract::State,
    middleware::from_fn_with_state,
    routing::{any, get, post},
};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

type Result<T> = std::result::Result<Answer<T>, ServiceError>;

pub(crate) fn router(endpoint: Endpoint) -> Router {
    Router::new()
        .route("/_emulator", get(index))
        .route("/_emulator/", get(index))
        .route("/_emulator/keys", get(keys))
        .route("/_emulator/refusals", get(refusals))
        .route("/_emulator/tokens/introspect", post(introspect))
        .route("/_emulator/entra/tokens", post(mint_entra_token))
        .route("/_emulator/{*other}", any(|| async { ServiceError::not_found() }))
        .method_not_allowed_fallback(|| async { ServiceError::method_not_allowed() })
        .layer(from_fn_with_state(endpoint.scheme, guard::require_local))
        .with_state(endpoint)
}

/// `GET /_emulator/`
async fn index(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<Value> {
    let index = serde_json::json!({
        "name": env!("CARGO_PKG_NAME"),
        "version": env!("CARGO_PKG_VERSION"),
        "resourceId": resource.id,
        "identities": resource.registry.count(),
        "time": http_date::format(resource.clock.now()),
        "paths": [
            "GET /_emulator/keys",
            "GET /_emulator/refusals",
            "POST /_emulator/tokens/introspect",
            "POST /_emulator/entra/tokens",
        ],
    });
    Answer(StatusCode::OK, index)
}

#[derive(Serialize)]
struct JwkSet {
    keys: [Jwk; 1],
}

/// `GET /_emulator/keys`
async fn keys(State(Endpoint { resource, .. }): State<Endpoint>) -> Result<JwkSet> {
    let key = resource.token_key.wait().await?.jwk().clone();
    Ok(Answer(StatusCode::OK, JwkSet { keys: [key] }))
}

#[derive(Serialize)]
struct RefusalList {
    refusals: Vec<RefusedRequest>,
}

/// `GET /_emulator/refusals`
async fn refusals(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<RefusalList> {
    let refusals = resource.refusals.list();
    Answer(StatusCode::OK, RefusalList { refusals })
}

#[derive(Deserialize)]
struct IntrospectRequest {
    token: String,
}

#[derive(Serialize)]
struct Introspection {
    active: bool,
    status: TokenStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Value>,
}

/// `POST /_emulator/tokens/introspect`
async fn introspect(
    State(Endpoint { resource, .. }): State<Endpoint>,
    RequestBody(body): RequestBody,
) -> Result<Introspection> {
    // serde's error could contain a token.
    let JsonObject(request): JsonObject<IntrospectRequest> = serde_json::from_slice(&body)
        .map_err(|_| ServiceError::new(StatusCode::BAD_REQUEST, "InvalidRequest", r#"Send {"token":"..."}."#))?;
    let token = Jwt::parse(&request.token);
    let status = token
        .as_ref()
        .map_or(TokenStatus::Unknown, |token| resource.token_status(token));
    let introspection = Introspection {
        active: status == TokenStatus::Active,
        status,
        claims: token
            .filter(|_| status != TokenStatus::Unknown)
            .and_then(|token| token.claims()),
    };
    Ok(Answer(StatusCode::OK, introspection))
}

/// `POST /_emulator/entra/tokens`
async fn mint_entra_token(
    State(Endpoint { resource, .. }): State<Endpoint>,
    RequestBody(body): RequestBody,
) -> Result<EntraToken> {
    let JsonObject(request) = if body.is_empty() {
        JsonObject(EntraTokenRequest::default())
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| ServiceError::new(StatusCode::BAD_REQUEST, "InvalidRequest", error.to_string()))?
    };
    let key = resource.token_key.wait().await?;
    Ok(Answer(StatusCode::OK, request.mint(key, resource.clock.now())?))
}
