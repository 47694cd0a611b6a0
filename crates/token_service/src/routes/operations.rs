//! What operators ask the service.

use crate::{directory::Directory, error::ApiError, metrics::Metrics};
use axum::{
    Json, Router,
    extract::State,
    http::{StatusCode, header::CONTENT_TYPE},
    response::IntoResponse,
    routing::get,
};
use serde_json::{Value, json};
use std::{
    error::Error,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use token_guard::TokenGuard;
use tracing::warn;

/// What tells how the service is.
#[derive(Clone, Debug)]
pub(crate) struct Health {
    pub(crate) directory: Directory,
    pub(crate) guard: TokenGuard,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) draining: Arc<AtomicBool>,
}

pub(crate) fn operations(health: Health) -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// Whether requests should be sent here: not while the service drains, nor without its database or the issuer's keys.
async fn readyz(State(health): State<Health>) -> (StatusCode, Json<Value>) {
    let draining = health.draining.load(Ordering::Relaxed);
    let database = health.directory.ping().await.is_ok();
    let keys = health.guard.load_keys().await;
    if let Err(error) = &keys {
        warn!(%error, cause = error.source(), "the issuer's keys are not there");
    }
    let ready = !draining && database && keys.is_ok();
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = json!({
        "status": if ready { "ready" } else { "not ready" },
        "draining": draining,
        "database": database,
        "issuer_keys": keys.is_ok(),
    });
    (status, Json(body))
}

async fn metrics(State(health): State<Health>) -> Result<impl IntoResponse, ApiError> {
    let text = health.metrics.text().map_err(|_| ApiError::internal())?;
    Ok((
        [(
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    ))
}
