//! Creation of one identity for each user, with concurrent requests and failures.

use crate::{
    setup::{DatabaseFile, Options, Reply, Setup, direct, settled},
    support::gate::{CREATE, Gate},
};
use acs_identity_emulator::Fault;
use azure_communication_identity::CommunicationIdentityClient;
use reqwest::Method;
use sqlx::{Connection, Executor};
use std::{
    future::Future,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use token_service::{ServiceLimits, Store, Swept};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream, UnixStream},
    task::JoinHandle,
};

/// The metric of creations that were given up.
const GIVEN_UP: &str = "token_service_creations_given_up_total";

/// A service whose other replica has claimed alice's creation and stopped. An identity that no user has stands for the one
/// that it created.
struct Unstored {
    setup: Setup,
    identities: Vec<String>,
    _stopped: (Setup, Gate, JoinHandle<Reply>),
    _file: DatabaseFile,
}

impl Unstored {
    async fn start() -> Self {
        let file = DatabaseFile::new();
        let setup = Setup::with(Options::with_database(&file), |builder| builder).await;
        let client =
            CommunicationIdentityClient::with_connection_string(&setup.emulator.connection_string(), Some(direct()))
                .unwrap();
        client.create_user(None).await.unwrap();
        let gate = Gate::before(&setup.emulator).await;
        let options = Options {
            acs_timeout: Duration::from_hours(1),
            ..Options::with_database(&file).behind(&gate)
        };
        let replica = setup.replica(options, |builder| builder).await;
        let stop = gate.stop(CREATE);
        let request = replica.begin(Method::POST, "/api/user", &replica.caller("alice"));
        stop.arrived().await;
        let identities = setup.emulator.identities();
        assert_eq!(identities.len(), 1);
        Self {
            setup,
            identities,
            _stopped: (replica, gate, request),
            _file: file,
        }
    }

    async fn given_up(&self) -> u64 {
        self.setup.metric(GIVEN_UP).await
    }

    /// Asserts that alice has no identity, and that the next request creates one.
    async fn assert_created_again(&self) {
        let alice = || self.setup.caller("alice");
        let reply = self.setup.get("/api/user", &alice()).await;
        reply.assert_error(404, "no_identity");
        let reply = self.setup.post("/api/user", &alice()).await;
        assert_ne!(reply.assert_status(201).text("/acsUserIdentity"), self.identities[0]);
        assert_eq!(self.setup.emulator.identity_count(), 2);
    }
}

async fn all<T: Send + 'static>(
    requests: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let tasks: Vec<_> = requests.into_iter().map(tokio::spawn).collect();
    let mut replies = Vec::new();
    for task in tasks {
        replies.push(task.await.unwrap());
    }
    replies
}

/// Asserts that one response is 201, the others are 200, and all have the same identity.
#[track_caller]
fn assert_one_identity(replies: &[Reply]) {
    let identity = replies[0].text("/acsUserIdentity");
    for reply in replies {
        assert_eq!(reply.text("/acsUserIdentity"), identity, "{reply:?}");
    }
    let created = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(created, 1, "{replies:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_create_one_identity() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    let requests = (0..50).map(|_| setup.request(Method::POST, "/api/user").bearer_auth(&alice));
    let replies = all(requests.map(crate::setup::send)).await;
    assert_one_identity(&replies);
    assert_eq!(setup.emulator.identity_count(), 1);
    assert_eq!(setup.acs_calls("create").await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_create_one_identity() {
    let file = DatabaseFile::new();
    let outer = Setup::start().await;
    let gate = Gate::before(&outer.emulator).await;
    let setup = outer
        .replica(Options::with_database(&file).behind(&gate), |builder| builder)
        .await;
    let replica = outer
        .replica(Options::with_database(&file).behind(&gate), |builder| builder)
        .await;
    let alice = setup.caller("alice");
    let stop = gate.stop(CREATE);
    let requests = (0..20).map(|number| {
        let service = if number % 2 == 0 { &setup } else { &replica };
        crate::setup::send(service.request(Method::POST, "/api/user").bearer_auth(&alice))
    });
    let replies = tokio::spawn(all(requests.collect::<Vec<_>>()));
    stop.arrived().await;
    settled().await;
    stop.open();
    assert_one_identity(&replies.await.unwrap());
    assert_eq!(setup.emulator.identity_count(), 1);
    assert_eq!(stop.arrivals(), 1);
    assert_eq!(setup.acs_calls("create").await + replica.acs_calls("create").await, 1);
}

#[tokio::test]
async fn failed_creation_is_retried_by_the_next_request() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.emulator.inject(Fault::status(503).times(1)).unwrap();
    let reply = setup.post("/api/user", &alice).await;
    reply.assert_error(503, "acs_unavailable");
    assert!(reply.header("retry-after").is_some());
    setup.post("/api/user", &alice).await.assert_status(201);
    assert_eq!(setup.emulator.identity_count(), 1);
}

#[tokio::test]
async fn creation_with_unknown_outcome_is_given_up() {
    for (fault, created, given_up) in [
        (Fault::reset_before_commit(), 0, 1),
        (Fault::reset_after_commit(), 1, 1),
        (Fault::truncated_body(), 1, 1),
        (Fault::html_body(), 0, 1),
        (Fault::status(500), 0, 1),
        (Fault::status(504), 0, 1),
        (Fault::status(400), 0, 0),
        (Fault::status(401), 0, 0),
        (Fault::status(429), 0, 0),
    ] {
        let case = format!("{fault:?}");
        let setup = Setup::start().await;
        let alice = setup.caller("alice");
        setup.emulator.inject(fault.times(1)).unwrap();
        let reply = setup.post("/api/user", &alice).await;
        assert!(!reply.status.is_success(), "{case}: {reply:?}");
        assert_eq!(setup.metric(GIVEN_UP).await, given_up, "{case}");
        assert_eq!(setup.emulator.identity_count(), created, "{case}");

        let reply = setup.post("/api/user", &alice).await;
        reply.assert_status(201);
        assert_eq!(setup.metric(GIVEN_UP).await, given_up, "{case}");
        assert_eq!(setup.emulator.identity_count(), created + 1, "{case}");
        setup.clock.advance(Duration::from_secs(121));
        assert_eq!(setup.service.sweep().await.unwrap().given_up, 0, "{case}");
    }
}

#[tokio::test]
async fn creation_that_times_out_is_given_up() {
    let (patient, gate) = Setup::gated(|builder| builder).await;
    let options = Options {
        acs_timeout: Duration::from_millis(50),
        ..Options::default().behind(&gate)
    };
    let setup = patient.replica(options, |builder| builder).await;
    let alice = setup.caller("alice");
    let stop = gate.stop(CREATE);
    let reply = setup.post("/api/user", &alice).await;
    reply.assert_error(503, "acs_unavailable");
    assert_eq!(stop.arrivals(), 1);
    assert_eq!(setup.metric(GIVEN_UP).await, 1);

    stop.open();
    patient.post("/api/user", &alice).await.assert_status(201);
}

#[tokio::test]
async fn expired_claim_is_taken_over_and_counted() {
    let unstored = Unstored::start().await;
    assert_eq!(unstored.given_up().await, 0, "the claim has not expired");
    unstored.setup.clock.advance(Duration::from_secs(121));
    unstored.assert_created_again().await;
    assert_eq!(unstored.given_up().await, 1);
    unstored.setup.clock.advance(Duration::from_secs(121));
    assert_eq!(unstored.setup.service.sweep().await.unwrap(), Swept::default());
}

#[tokio::test]
async fn sweep_gives_up_expired_claims() {
    let unstored = Unstored::start().await;
    let sweep = || unstored.setup.service.sweep();
    assert_eq!(sweep().await.unwrap(), Swept::default(), "the claim has not expired");
    unstored.setup.clock.advance(Duration::from_secs(121));
    let swept = sweep().await.unwrap();
    assert_eq!((swept.given_up, swept.failed), (1, 0));
    assert_eq!(sweep().await.unwrap(), Swept::default());
    assert_eq!(unstored.given_up().await, 1);
    unstored.assert_created_again().await;
    assert_eq!(unstored.given_up().await, 1);
}

#[tokio::test]
async fn deletion_gives_up_an_open_claim() {
    let unstored = Unstored::start().await;
    let alice = unstored.setup.caller("alice");
    unstored.setup.delete("/api/user", &alice).await.assert_status(204);
    assert_eq!(unstored.given_up().await, 1);
    unstored.assert_created_again().await;
    unstored.setup.clock.advance(Duration::from_secs(121));
    assert_eq!(unstored.setup.service.sweep().await.unwrap(), Swept::default());
    assert_eq!(unstored.given_up().await, 1);
}

/// The claim of a slow replica is taken over before it has created the identity.
#[tokio::test]
async fn late_creation_is_deleted() {
    let file = DatabaseFile::new();
    let outer = Setup::start().await;
    let gate = Gate::before(&outer.emulator).await;
    let slow = outer
        .replica(Options::with_database(&file).behind(&gate), |builder| builder)
        .await;
    let other = outer.replica(Options::with_database(&file), |builder| builder).await;
    let stop = gate.stop(CREATE);
    let late = slow.begin(Method::POST, "/api/user", &slow.caller("alice"));
    stop.arrived().await;

    other.clock.advance(Duration::from_secs(121));
    let reply = other.post("/api/user", &other.caller("alice")).await;
    let identity = reply.assert_status(201).text("/acsUserIdentity");
    assert_eq!(other.metric(GIVEN_UP).await, 1);
    stop.open();
    let reply = late.await.unwrap();
    assert_eq!(reply.assert_status(200).text("/acsUserIdentity"), identity);
    assert_eq!(slow.metric(GIVEN_UP).await, 0);
    assert_eq!(other.emulator.identity_count(), 2);

    other.clock.advance(Duration::from_secs(61));
    assert_eq!(other.service.sweep().await.unwrap().deleted, 1);
    assert_eq!(other.emulator.identities(), [identity]);
}

#[tokio::test]
async fn creation_completes_after_a_disconnect() {
    let (setup, gate) = Setup::gated(|builder| builder).await;
    let alice = setup.caller("alice");
    let stop = gate.stop(CREATE);
    let gone = setup.begin(Method::POST, "/api/user", &alice);
    stop.arrived().await;
    gone.abort();
    assert!(gone.await.unwrap_err().is_cancelled());
    stop.open();
    let reply = setup.post("/api/user", &alice).await;
    reply.assert_status(200);
    assert_eq!(setup.emulator.identities(), [reply.text("/acsUserIdentity")]);
    assert_eq!(stop.arrivals(), 1);
}

#[tokio::test]
async fn creation_that_waited_in_the_queue_is_not_given_up() {
    // One creation in 30 seconds, and the client does not wait for the next.
    let options = Options {
        limits: Some(ServiceLimits::new(NonZeroU32::new(1000).unwrap(), 10)),
        acs_timeout: Duration::from_millis(200),
        ..Options::default()
    };
    let setup = Setup::with(options, |builder| builder).await;
    setup.post("/api/user", &setup.caller("alice")).await.assert_status(201);
    let waited = setup.post("/api/user", &setup.caller("bob")).await;
    waited.assert_error(503, "acs_unavailable");
    assert_eq!(setup.metric(GIVEN_UP).await, 0);
    assert_eq!(setup.emulator.identity_count(), 1);
}

#[tokio::test]
async fn held_claim_says_when_it_ends() {
    let unstored = Unstored::start().await;
    let setup = &unstored.setup;
    let held = setup.post("/api/user", &setup.caller("alice")).await;
    held.assert_error(503, "signing_in");
    let wait: u64 = held.header("retry-after").unwrap().parse().unwrap();
    assert_eq!(wait, 120, "the clock of the service stands still");
}

/// A proxy before the PostgreSQL server that the environment names. It cuts the connection that it is armed for.
struct Proxy {
    url: String,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    /// Starts a proxy that loses the next `cuts` responses to an insertion.
    async fn start(server: &str, cuts: usize) -> Self {
        let name = format!("test_{}", uuid::Uuid::new_v4().simple());
        let mut connection = sqlx::PgConnection::connect(server).await.unwrap();
        let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
        connection.execute(create).await.unwrap();
        let (_, host) = server.split_once('@').unwrap();
        let socket = format!("{}/.s.PGSQL.5432", host.split_once('/').unwrap().0.replace("%2F", "/"));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!(
            "postgres://app@{}/{name}?sslmode=disable",
            listener.local_addr().unwrap()
        );
        let proxy = Self {
            url,
            cuts: Arc::new(AtomicUsize::new(0)),
        };
        let left = proxy.cuts.clone();
        // The tables are created before.
        Store::connect(&format!("{}/{name}", server.rsplit_once('/').unwrap().0), 1)
            .await
            .unwrap();
        left.store(cuts, Ordering::SeqCst);
        tokio::spawn(async move {
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(forward(client, server, left.clone()));
            }
        });
        proxy
    }
}

/// Forwards a connection, until a response to an insertion is to be lost.
async fn forward(client: TcpStream, server: UnixStream, cuts: Arc<AtomicUsize>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let requests = tokio::spawn(async move { copy(&mut from_client, &mut to_server).await });
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let length = from_server.read(&mut buffer).await.unwrap_or(0);
        let response = &buffer[..length];
        let inserted = response.windows(10).any(|bytes| bytes == b"INSERT 0 1");
        let cut = inserted
            && cuts
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |cuts| cuts.checked_sub(1))
                .is_ok();
        if length == 0 || cut || to_client.write_all(response).await.is_err() {
            requests.abort();
            return;
        }
    }
}

#[tokio::test]
async fn claim_whose_response_was_lost_is_taken_up() {
    let Ok(server) = std::env::var("STORE_TEST_POSTGRES") else {
        return;
    };
    let proxy = Proxy::start(&server, 1).await;
    let options = Options {
        database: proxy.url.clone(),
        ..Options::default()
    };
    let setup = Setup::with(options, |builder| builder).await;
    setup.post("/api/user", &setup.caller("alice")).await.assert_status(201);
    assert_eq!(proxy.cuts.load(Ordering::SeqCst), 0, "the first response was lost");
    assert_eq!(setup.emulator.identity_count(), 1);
    assert_eq!(setup.metric(GIVEN_UP).await, 0);
}
