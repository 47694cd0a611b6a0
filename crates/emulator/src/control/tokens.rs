//! The tokens that were issued, and tokens in place of those of Entra ID.

use super::Result;
use crate::{
    http::{JsonResponse, RequestBody, Service, ServiceError},
    json_object::JsonObject,
    resource::TokenStatus,
    ring_buffer::Numbered,
    tokens::{EntraToken, EntraTokenRequest, Jwk, Jwt},
};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::Arc;

#[derive(Serialize)]
pub(super) struct JwkSet {
    keys: [Jwk; 1],
}

/// `GET /_emulator/keys`
pub(super) async fn keys(State(service): State<Arc<Service>>) -> Result<JwkSet> {
    let key = service.resource.token_key.wait().await?.jwk().clone();
    Ok(JsonResponse(StatusCode::OK, JwkSet { keys: [key] }))
}

#[derive(Serialize)]
pub(super) struct TokenList {
    tokens: Vec<Numbered<Token>>,
}

#[derive(Serialize)]
struct Token {
    status: TokenStatus,
    claims: Option<Value>,
}

/// `GET /_emulator/tokens`
pub(super) async fn list(State(service): State<Arc<Service>>) -> JsonResponse<TokenList> {
    let issued = service.resource.issued.list();
    let tokens = issued.into_iter().map(|Numbered { number, item }| {
        let status = service.resource.status_of(&item);
        let claims = item.claims();
        let item = Token { status, claims };
        Numbered { number, item }
    });
    let tokens = tokens.collect();
    JsonResponse(StatusCode::OK, TokenList { tokens })
}

#[derive(Deserialize)]
struct IntrospectRequest {
    token: String,
}

#[derive(Serialize)]
pub(super) struct Introspection {
    active: bool,
    status: TokenStatus,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims: Option<Value>,
}

/// `POST /_emulator/tokens/introspect`
pub(super) async fn introspect(
    State(service): State<Arc<Service>>,
    RequestBody(body): RequestBody,
) -> Result<Introspection> {
    // serde's error could contain a token.
    let JsonObject(request): JsonObject<IntrospectRequest> = serde_json::from_slice(&body)
        .map_err(|_| ServiceError::new(StatusCode::BAD_REQUEST, "InvalidRequest", r#"Send {"token":"..."}."#))?;
    let token = Jwt::parse(&request.token);
    let status = token
        .as_ref()
        .map_or(TokenStatus::Unknown, |token| service.resource.token_status(token));
    if matches!(status, TokenStatus::Revoked | TokenStatus::IdentityDeleted) {
        service.resource.store.wait_for_all().await?;
    }
    let introspection = Introspection {
        active: status == TokenStatus::Active,
        status,
        claims: token
            .filter(|_| status != TokenStatus::Unknown)
            .and_then(|token| token.payload().claims()),
    };
    Ok(JsonResponse(StatusCode::OK, introspection))
}

/// `POST /_emulator/entra/tokens`
pub(super) async fn mint_entra_token(
    State(service): State<Arc<Service>>,
    RequestBody(body): RequestBody,
) -> Result<EntraToken> {
    let JsonObject(request) = if body.is_empty() {
        JsonObject(EntraTokenRequest::default())
    } else {
        serde_json::from_slice(&body)
            .map_err(|error| ServiceError::new(StatusCode::BAD_REQUEST, "InvalidRequest", error.to_string()))?
    };
    let key = service.resource.token_key.wait().await?;
    Ok(JsonResponse(
        StatusCode::OK,
        request.mint(key, service.resource.clock.now())?,
    ))
}
