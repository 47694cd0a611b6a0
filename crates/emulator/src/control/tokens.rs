//! Tokens: those that were issued, and those that stand for tokens of Entra ID.

use super::Result;
use crate::{
    endpoint::Endpoint,
    json_object::JsonObject,
    resource::TokenStatus,
    ring_buffer::Numbered,
    service::{Answer, RequestBody, ServiceError},
    tokens::{EntraToken, EntraTokenRequest, Jwk, Jwt},
};
use axum::extract::State;
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Serialize)]
pub(super) struct JwkSet {
    keys: [Jwk; 1],
}

/// `GET /_emulator/keys`
pub(super) async fn keys(State(Endpoint { resource, .. }): State<Endpoint>) -> Result<JwkSet> {
    let key = resource.token_key.wait().await?.jwk().clone();
    Ok(Answer(StatusCode::OK, JwkSet { keys: [key] }))
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
pub(super) async fn list(State(Endpoint { resource, .. }): State<Endpoint>) -> Answer<TokenList> {
    let issued = resource.issued.list();
    let tokens = issued.into_iter().map(|Numbered { number, item }| {
        let status = resource.status_of(&item);
        let claims = item.claims();
        let item = Token { status, claims };
        Numbered { number, item }
    });
    let tokens = tokens.collect();
    Answer(StatusCode::OK, TokenList { tokens })
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
    if matches!(status, TokenStatus::Revoked | TokenStatus::IdentityDeleted) {
        resource.store.wait_for_all().await?;
    }
    let introspection = Introspection {
        active: status == TokenStatus::Active,
        status,
        claims: token
            .filter(|_| status != TokenStatus::Unknown)
            .and_then(|token| token.payload().claims()),
    };
    Ok(Answer(StatusCode::OK, introspection))
}

/// `POST /_emulator/entra/tokens`
pub(super) async fn mint_entra_token(
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
