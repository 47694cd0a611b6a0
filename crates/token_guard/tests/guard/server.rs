//! A server on loopback with responses that a test sets.

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

/// The discovery document of an issuer at the root of a server.
pub(crate) const DISCOVERY: &str = "/.well-known/openid-configuration";

type Respond = Arc<dyn Fn() -> Response + Send + Sync>;

/// Responds by path, and with 404 to other paths.
pub(crate) struct Server {
    address: String,
    inner: Arc<Inner>,
    task: AbortHandle,
}

struct Inner {
    responses: Mutex<HashMap<String, Respond>>,
    requests: Mutex<Vec<String>>,
    /// Each response takes one of these.
    permits: Semaphore,
}

impl Server {
    pub(crate) async fn start() -> Self {
        let server = Self::start_paused().await;
        server.release(Semaphore::MAX_PERMITS);
        server
    }

    /// Starts a server that responds only after [`release`](Self::release).
    pub(crate) async fn start_paused() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Inner {
            responses: Mutex::default(),
            requests: Mutex::default(),
            permits: Semaphore::new(0),
        });
        let router = Router::new().fallback(respond).with_state(inner.clone());
        let task = tokio::spawn(async move { axum::serve(listener, router).await }).abort_handle();
        Self { address, inner, task }
    }

    /// Lets the next requests have their responses.
    pub(crate) fn release(&self, requests: usize) {
        self.inner.permits.add_permits(requests);
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    pub(crate) fn json(&self, path: &str, json: &Value) {
        let json = json.to_string();
        self.respond(path, move || Response::new(Body::from(json.clone())));
    }

    pub(crate) fn respond(&self, path: &str, respond: impl Fn() -> Response + Send + Sync + 'static) {
        let mut responses = self.inner.responses.lock().unwrap();
        responses.insert(path.to_owned(), Arc::new(respond));
    }

    /// Returns the paths of all requests, in their order.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.inner.requests.lock().unwrap().clone()
    }

    /// Waits for this number of requests.
    pub(crate) async fn requested(&self, requests: usize) {
        while self.requests().len() < requests {
            tokio::task::yield_now().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn respond(State(inner): State<Arc<Inner>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    inner.requests.lock().unwrap().push(path.clone());
    inner.permits.acquire().await.unwrap().forget();
    let response = inner.responses.lock().unwrap().get(&path).cloned();
    response.map_or_else(
        || http::Response::builder().status(404).body(Body::empty()).unwrap(),
        |respond| respond(),
    )
}
