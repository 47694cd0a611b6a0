//! The measured servers: the service, and a bare handler that checks one token.

use crate::{callers, issuer::AUDIENCE};
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION},
    routing::get,
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, jwk::Jwk};
use serde::Deserialize;
use serde_json::{Value, json};
use std::{num::NonZeroU32, sync::Arc};
use token_guard::TokenGuard;
use token_service::{CredentialFingerprint, SealingKeys, Store, TokenService};
use tokio::net::TcpListener;

/// The length of the service's tokens.
const TOKEN_LENGTH: usize = 850;

/// 32 bytes in base64.
const SEALING_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// Prints its address, and serves.
async fn serve(router: Router) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    axum::serve(listener, router).await.unwrap();
}

/// Runs the service as its binary does, with a log and SQLite.
pub(crate) async fn service(arguments: &[String]) {
    let [issuer, connection_string, database] = arguments else {
        panic!("service ISSUER CONNECTION_STRING DATABASE");
    };
    tracing_subscriber::fmt()
        .json()
        .with_max_level(tracing::Level::INFO)
        .with_writer(std::io::stderr)
        .init();
    let guard = TokenGuard::builder(issuer, [AUDIENCE]).build().unwrap();
    let store = Store::connect(database, 1).await.unwrap();
    let sealing_keys = SealingKeys::new([SEALING_KEY]).unwrap();
    let issued_with = CredentialFingerprint::of_connection_string(connection_string);
    let service = TokenService::builder(callers::identity_client(connection_string), guard, store)
        .requests_per_minute(NonZeroU32::MAX)
        .acs_costs_per_hour(NonZeroU32::MAX)
        .sealing_keys(sealing_keys, issued_with)
        .build();
    let router = service.routes();
    tokio::spawn(async move { service.sweep_forever().await });
    serve(router).await;
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
}

struct Checked {
    key: DecodingKey,
    validation: Validation,
    body: Value,
}

/// Runs a handler with one ES256 verification, and a response of the same size.
pub(crate) async fn bare(arguments: &[String]) {
    let [issuer, key] = arguments else {
        panic!("bare ISSUER KEY");
    };
    let key: Jwk = serde_json::from_str(key).unwrap();
    let mut validation = Validation::new(Algorithm::ES256);
    validation.set_issuer(&[issuer]);
    validation.set_audience(&[AUDIENCE]);
    let state = Arc::new(Checked {
        key: DecodingKey::from_jwk(&key).unwrap(),
        validation,
        body: json!({ "token": "x".repeat(TOKEN_LENGTH), "expiresOn": "2026-11-21T00:00:00Z" }),
    });
    serve(Router::new().route("/api/token", get(check)).with_state(state)).await;
}

async fn check(
    State(checked): State<Arc<Checked>>,
    headers: HeaderMap,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(StatusCode::UNAUTHORIZED)?;
    let claims = decode::<Claims>(token, &checked.key, &checked.validation).map_err(|_| StatusCode::UNAUTHORIZED)?;
    if claims.claims.sub.is_empty() {
        return Err(StatusCode::UNAUTHORIZED);
    }
    Ok((StatusCode::CREATED, Json(checked.body.clone())))
}
