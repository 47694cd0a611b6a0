//! A fake of the walkthrough's number service: it checks the key, and returns a number.

use aws_lc_rs::{constant_time::verify_slices_are_equal, rand};
use axum::{
    BoxError, Json, Router,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::get,
};
use serde_json::json;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{net::TcpListener, task::AbortHandle};
use url::Url;

/// A number service on loopback, until it is dropped.
pub(crate) struct FakeNumberService {
    url: Url,
    key: Arc<Mutex<String>>,
    server: AbortHandle,
}

impl FakeNumberService {
    /// Starts a service that accepts this key.
    pub(crate) async fn start(key: &str) -> Result<Self, BoxError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = Url::parse(&format!("http://{}/api/RandomNumber", listener.local_addr()?))?;
        let accepted = Arc::new(Mutex::new(key.to_owned()));
        let router = Router::new()
            .route("/api/RandomNumber", get(number).post(number))
            .with_state(accepted.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Ok(Self {
            url,
            key: accepted,
            server,
        })
    }

    pub(crate) fn url(&self) -> &Url {
        &self.url
    }

    /// Replaces the key that is accepted.
    pub(crate) fn set_key(&self, key: &str) {
        key.clone_into(&mut lock(&self.key));
    }
}

impl Drop for FakeNumberService {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn lock(key: &Mutex<String>) -> MutexGuard<'_, String> {
    key.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn number(State(accepted): State<Arc<Mutex<String>>>, headers: HeaderMap) -> Response {
    let key = headers
        .get("x-functions-key")
        .map(HeaderValue::as_bytes)
        .unwrap_or_default();
    if verify_slices_are_equal(key, lock(&accepted).as_bytes()).is_err() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut random = [0; 4];
    if rand::fill(&mut random).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    Json(json!({ "value": 1 + u32::from_ne_bytes(random) % 1000 })).into_response()
}
