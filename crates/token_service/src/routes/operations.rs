//! Routes for operations: `/healthz`, `/readyz` and `/metrics`.

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
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use token_guard::TokenGuard;
use tokio::{
    join,
    sync::Mutex,
    time::{Instant, timeout},
};
use tracing::warn;

/// The time for which a readiness result is cached.
const READINESS_TTL: Duration = Duration::from_secs(1);

/// The time for which the backlog in the metrics is cached.
const BACKLOG_TTL: Duration = Duration::from_secs(5);

/// The limit of a check. Kubernetes waits a second for a response.
const CHECK_TIMEOUT: Duration = Duration::from_millis(700);

/// The health of the service.
#[derive(Debug)]
pub(crate) struct Health {
    directory: Directory,
    guard: TokenGuard,
    metrics: Arc<Metrics>,
    draining: AtomicBool,
    checked: Mutex<Option<(Instant, Dependencies)>>,
    /// The time of the last attempt to count the backlog.
    counted: Mutex<Option<Instant>>,
    /// The last result of the issuer's keys. A fetch that is under way does not change it, as the keys may be usable.
    issuer_keys: AtomicBool,
}

/// The availability of the service's dependencies.
#[derive(Clone, Copy, Debug)]
struct Dependencies {
    database: bool,
    issuer_keys: bool,
}

impl Health {
    pub(crate) fn new(directory: Directory, guard: TokenGuard, metrics: Arc<Metrics>) -> Self {
        Self {
            directory,
            guard,
            metrics,
            draining: AtomicBool::new(false),
            checked: Mutex::new(None),
            counted: Mutex::new(None),
            issuer_keys: AtomicBool::new(false),
        }
    }

    /// Makes the service not ready, for good.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Returns the cached availability, or checks it.
    async fn dependencies(&self) -> Dependencies {
        let mut checked = self.checked.lock().await;
        if let Some((at, dependencies)) = *checked
            && at.elapsed() < READINESS_TTL
        {
            return dependencies;
        }
        let (database, keys) = join!(
            timeout(CHECK_TIMEOUT, self.directory.ping()),
            timeout(CHECK_TIMEOUT, self.guard.load_keys()),
        );
        match keys {
            Ok(Ok(())) => self.issuer_keys.store(true, Ordering::Relaxed),
            Ok(Err(error)) => {
                warn!(%error, cause = error.source(), "the issuer's keys are unavailable");
                self.issuer_keys.store(false, Ordering::Relaxed);
            }
            Err(_) => {}
        }
        if database.is_err() {
            warn!(
                "the database did not answer within {} milliseconds",
                CHECK_TIMEOUT.as_millis()
            );
        }
        let dependencies = Dependencies {
            database: database.is_ok_and(|ping| ping.is_ok()),
            issuer_keys: self.issuer_keys.load(Ordering::Relaxed),
        };
        *checked = Some((Instant::now(), dependencies));
        dependencies
    }

    /// Returns the metrics, with the cached backlog of the database, or counts it. Without an answer, they have none.
    async fn metrics(&self) -> Result<String, fmt::Error> {
        let mut counted = self.counted.lock().await;
        if counted.is_none_or(|at| at.elapsed() >= BACKLOG_TTL) {
            let backlog = timeout(CHECK_TIMEOUT, self.directory.backlog()).await;
            self.metrics.set_backlog(backlog.ok().and_then(Result::ok));
            *counted = Some(Instant::now());
        }
        drop(counted);
        self.metrics.set_connections(self.directory.connections());
        self.metrics.text()
    }
}

pub(crate) fn operations(health: Arc<Health>) -> Router {
    Router::new()
        .route("/healthz", get(async || Json(json!({ "status": "ok" }))))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(health)
}

/// Answers 200 if the service is ready for requests: it does not drain, and has its database and the issuer's keys.
async fn readyz(State(health): State<Arc<Health>>) -> (StatusCode, Json<Value>) {
    let draining = health.draining.load(Ordering::Relaxed);
    let Dependencies { database, issuer_keys } = health.dependencies().await;
    let (status, text) = if !draining && database && issuer_keys {
        (StatusCode::OK, "ready")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ready")
    };
    let body = json!({ "status": text, "draining": draining, "database": database, "issuer_keys": issuer_keys });
    (status, Json(body))
}

async fn metrics(State(health): State<Arc<Health>>) -> Result<impl IntoResponse, ApiError> {
    let text = health.metrics().await.map_err(|_| ApiError::internal())?;
    Ok((
        [(
            CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        text,
    ))
}
