//! A gate between a service and the emulator. A request passes, waits until it is released, or gets a fixed response.

use super::http;
use acs_identity_emulator::Emulator;
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{net::TcpListener, sync::Semaphore, task::AbortHandle};

/// The ends of the paths of requests that a gate can stop.
pub(crate) const ALL: &str = "";
pub(crate) const CREATE: &str = "/identities";
pub(crate) const ISSUE: &str = "/:issueAccessToken";
pub(crate) const REVOKE: &str = "/:revokeAccessTokens";

pub(crate) struct Gate {
    state: Arc<Shared>,
    connection_string: String,
    server: AbortHandle,
}

struct Shared {
    emulator: String,
    http: reqwest::Client,
    stop: Mutex<Option<(&'static str, Arc<Stop>)>>,
    response: Mutex<Option<(StatusCode, &'static str, &'static str)>>,
}

/// The stopped requests of a gate.
pub(crate) struct Stop {
    arrived: Semaphore,
    open: Semaphore,
    arrivals: AtomicUsize,
}

impl Gate {
    /// Starts an open gate before the emulator.
    pub(crate) async fn before(emulator: &Emulator) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let state = Arc::new(Shared {
            emulator: emulator.endpoint().trim_end_matches('/').to_owned(),
            http: http(),
            stop: Mutex::default(),
            response: Mutex::default(),
        });
        let router = Router::new().fallback(pass).with_state(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            state,
            connection_string: emulator.connection_string().replace(emulator.endpoint(), &endpoint),
            server: server.abort_handle(),
        }
    }

    pub(crate) fn connection_string(&self) -> String {
        self.connection_string.clone()
    }

    /// Stops all further requests whose path ends like this.
    pub(crate) fn stop(&self, path: &'static str) -> Arc<Stop> {
        let stop = Arc::new(Stop {
            arrived: Semaphore::new(0),
            open: Semaphore::new(0),
            arrivals: AtomicUsize::new(0),
        });
        *self.state.stop.lock().unwrap() = Some((path, stop.clone()));
        stop
    }

    /// Answers the next request, which does not reach the emulator.
    pub(crate) fn respond(&self, status: StatusCode, content_type: &'static str, body: &'static str) {
        *self.state.response.lock().unwrap() = Some((status, content_type, body));
    }
}

impl Stop {
    /// Waits for a request.
    pub(crate) async fn arrived(&self) {
        self.arrived.acquire().await.unwrap().forget();
    }

    /// Releases the stopped requests, and lets all others pass.
    pub(crate) fn open(&self) {
        self.open.add_permits(Semaphore::MAX_PERMITS / 2);
    }

    /// Returns the number of requests that arrived.
    pub(crate) fn arrivals(&self) -> usize {
        self.arrivals.load(Ordering::SeqCst)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn pass(State(state): State<Arc<Shared>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let stop = state.stop.lock().unwrap().clone();
    if let Some((_, stop)) = stop.filter(|(path, _)| head.uri.path().ends_with(path)) {
        stop.arrivals.fetch_add(1, Ordering::SeqCst);
        stop.arrived.add_permits(1);
        let _passed = stop.open.acquire().await.unwrap();
    }
    if let Some((status, content_type, body)) = state.response.lock().unwrap().take() {
        let response = Response::builder().status(status).header("content-type", content_type);
        return response.body(Body::from(body)).unwrap();
    }
    // All headers are forwarded, also the host, as the signature covers them.
    let url = format!("{}{}", state.emulator, head.uri);
    let request = state.http.request(head.method, url).headers(head.headers);
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let forwarded = request.body(body).send().await.unwrap();
    let (status, headers) = (forwarded.status(), forwarded.headers().clone());
    let mut response = Response::new(Body::from(forwarded.bytes().await.unwrap()));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
