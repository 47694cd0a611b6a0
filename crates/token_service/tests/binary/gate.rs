//! A resource that answers a creation when it is told to.

use crate::process::soon;
use axum::{Json, Router, extract::State, http::StatusCode, routing::post};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::{net::TcpListener, sync::Semaphore, task::AbortHandle};

pub(crate) struct Gate {
    state: Arc<Arrivals>,
    connection_string: String,
    server: AbortHandle,
}

struct Arrivals {
    arrived: Semaphore,
    open: Semaphore,
}

impl Gate {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let state = Arc::new(Arrivals {
            arrived: Semaphore::new(0),
            open: Semaphore::new(0),
        });
        let router = Router::new()
            .route("/identities", post(create))
            .with_state(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            state,
            connection_string: format!("endpoint={endpoint};accesskey=c2VjcmV0"),
            server: server.abort_handle(),
        }
    }

    pub(crate) fn connection_string(&self) -> &str {
        &self.connection_string
    }

    /// Waits for a request.
    pub(crate) async fn arrived(&self) {
        soon("a request for the resource", self.state.arrived.acquire())
            .await
            .unwrap()
            .forget();
    }

    /// Lets a request be answered.
    pub(crate) fn open(&self) {
        self.state.open.add_permits(1);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn create(State(state): State<Arc<Arrivals>>) -> (StatusCode, Json<Value>) {
    state.arrived.add_permits(1);
    state.open.acquire().await.unwrap().forget();
    let id = "8:acs:11111111-1111-1111-1111-111111111111_00000000-0000-0000-0000-000000000001";
    (StatusCode::CREATED, Json(json!({"identity": {"id": id}})))
}
