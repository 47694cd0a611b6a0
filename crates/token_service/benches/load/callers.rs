//! Concurrent callers of a server.

use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use http::{
    Request,
    header::{AUTHORIZATION, HOST},
};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn::http1::SendRequest};
use hyper_util::rt::TokioIo;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, task::JoinSet};

const IN_FLIGHT: usize = 64;

/// Callers with one connection each, who send their requests one after another.
pub(crate) struct Callers {
    address: SocketAddr,
    requests: Arc<[Request<Empty<Bytes>>]>,
}

/// The result of a run.
pub(crate) struct Run {
    pub(crate) requests: usize,
    took: Duration,
}

impl Run {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

impl Callers {
    pub(crate) fn new(address: SocketAddr, method: &str, path: &str, tokens: &[String]) -> Self {
        let request = |token: &String| {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(HOST, address.to_string());
            request
                .header(AUTHORIZATION, format!("Bearer {token}"))
                .body(Empty::new())
                .unwrap()
        };
        Self {
            address,
            requests: tokens.iter().map(request).collect(),
        }
    }

    /// Sends requests for this time, in the name of one user after another.
    pub(crate) async fn during(&self, duration: Duration, status: u16) -> Run {
        let end = Instant::now() + duration;
        self.run(status, move |_| Instant::now() < end).await
    }

    /// Sends one request for each user.
    pub(crate) async fn once_each(&self, status: u16) -> Run {
        let users = self.requests.len();
        self.run(status, move |number| number < users).await
    }

    async fn run(&self, status: u16, continues: impl Fn(usize) -> bool + Clone + Send + 'static) -> Run {
        let started = Instant::now();
        let (next, answered) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut callers = JoinSet::new();
        for _ in 0..IN_FLIGHT {
            let mut connection = connect(self.address).await;
            let (requests, next, answered) = (self.requests.clone(), next.clone(), answered.clone());
            let continues = continues.clone();
            callers.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if !continues(number) {
                        break;
                    }
                    let request = requests[number % requests.len()].clone();
                    let response = connection.send_request(request).await.unwrap();
                    assert_eq!(response.status(), status);
                    assert!(!response.into_body().collect().await.unwrap().to_bytes().is_empty());
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        callers.join_all().await;
        Run {
            requests: answered.load(Ordering::Relaxed),
            took: started.elapsed(),
        }
    }
}

async fn connect(address: SocketAddr) -> SendRequest<Empty<Bytes>> {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

pub(crate) fn identity_client(connection_string: &str) -> CommunicationIdentityClient {
    let options = CommunicationIdentityClientOptions::default();
    CommunicationIdentityClient::with_connection_string(connection_string, Some(options)).unwrap()
}

/// Creates identities without the service, with the same number of in-flight requests.
pub(crate) async fn create_users(client: &CommunicationIdentityClient, users: usize) -> Run {
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for task in 0..IN_FLIGHT {
        let client = client.clone();
        tasks.spawn(async move {
            for _ in (task..users).step_by(IN_FLIGHT) {
                client.create_user(None).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    Run {
        requests: users,
        took: started.elapsed(),
    }
}
