//! A server on loopback that answers what a test says.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    response::Response,
};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, sync::Semaphore, task::AbortHandle};

type Answer = Arc<dyn Fn() -> Response + Send + Sync>;

/// Answers by path; 404 for others.
pub(crate) struct Served {
    address: String,
    inner: Arc<Inner>,
    server: AbortHandle,
}

struct Inner {
    answers: Mutex<HashMap<String, Answer>>,
    requests: Mutex<Vec<String>>,
    /// Each answer takes one of these.
    permits: Semaphore,
}

impl Served {
    pub(crate) async fn start() -> Self {
        let served = Self::start_held().await;
        served.release(Semaphore::MAX_PERMITS);
        served
    }

    /// Starts a server that answers nothing until it is told to.
    pub(crate) async fn start_held() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            answers: Mutex::default(),
            requests: Mutex::default(),
            permits: Semaphore::new(0),
        });
        let router = Router::new().fallback(answer).with_state(inner.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { address, inner, server }
    }

    /// Lets the next requests be answered.
    pub(crate) fn release(&self, requests: usize) {
        self.inner.permits.add_permits(requests);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    pub(crate) fn json(&self, path: &str, json: &Value) {
        let json = json.to_string();
        self.answer(path, move || Response::new(Body::from(json.clone())));
    }

    pub(crate) fn answer(&self, path: &str, answer: impl Fn() -> Response + Send + Sync + 'static) {
        self.inner
            .answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), Arc::new(answer));
    }

    /// The paths that were asked for, one after another.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.inner.requests.lock().unwrap().clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    inner.requests.lock().unwrap().push(path.clone());
    inner.permits.acquire().await.unwrap().forget();
    let answer = inner.answers.lock().unwrap().get(&path).cloned();
    answer.map_or_else(
        || http::Response::builder().status(404).body(Body::empty()).unwrap(),
        |answer| answer(),
    )
}
