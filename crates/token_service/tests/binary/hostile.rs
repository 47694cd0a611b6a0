//! Connections that only take room, beside callers.
//!
//! A third sends heads without an end, a third never reads its responses, and a third sends nothing after the TLS handshake.
//! `HOSTILE` is their number. With it, closed ones come back, and the throughput of callers is compared with that without
//! them; `.ci/soak hostile` runs 5000. The default is a short form for every day.

use crate::{
    process::{Process, soon},
    setup::Setup,
    support::{http, http_trusting},
    tls::renew,
};
use reqwest::Client;
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use std::{
    env, fs,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::sleep,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The short form, with fewer connections in the service than hostile ones.
const HOSTILE: usize = 300;
const LIMIT: u32 = 100;
/// Callers who keep their connection, and as many who connect for each request.
const CALLERS: usize = 8;
const REQUESTS: usize = 20;
/// The rounds of requests in the long form, with and without hostile connections.
const LONG_REQUESTS: usize = 2500;
/// The pause of a hostile client before it comes back.
const PAUSE: Duration = Duration::from_secs(10);
/// The requests that are sent together, whose responses are not read.
const PIPELINED: usize = 200;
/// Connections that the service may have opened meanwhile, to the issuer and the emulator.
const OTHER_FILES: usize = 8;
/// The goals.
const LEAST_THROUGHPUT: f64 = 0.5;
const MOST_SECONDS_OF_RECOVERY: f64 = 15.0;

/// A head that never ends, and requests whose responses are not read.
const HEAD: &[u8] = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\nx-";
const REQUEST: &[u8] = b"GET /openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Clients that take room, until they are dropped.
struct Hostile {
    _clients: JoinSet<()>,
    /// One for each connection that was opened.
    connected: Arc<Semaphore>,
}

impl Hostile {
    /// Starts clients. With a pause, each comes back after it.
    fn start(number: usize, address: SocketAddr, certificate: &str, pause: Option<Duration>) -> Self {
        let connected = Arc::new(Semaphore::new(0));
        let connector = connector(certificate);
        let mut clients = JoinSet::new();
        for index in 0..number {
            let (connector, connected) = (connector.clone(), connected.clone());
            clients.spawn(async move {
                loop {
                    let stream = connect(address, &connector).await;
                    connected.add_permits(1);
                    if let Some(stream) = stream {
                        hold(stream, index).await;
                    }
                    match pause {
                        Some(pause) => sleep(pause).await,
                        None => break,
                    }
                }
            });
        }
        Self {
            _clients: clients,
            connected,
        }
    }

    /// Waits until each has connected once, or has been refused.
    async fn connected(&self, number: usize) {
        let number = u32::try_from(number).unwrap();
        self.connected.acquire_many(number).await.unwrap().forget();
    }
}

fn connector(certificate: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap())
        .unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config).into()
}

async fn connect(address: SocketAddr, connector: &TlsConnector) -> Option<TlsStream<TcpStream>> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.set_recv_buffer_size(4096).ok()?;
    let stream = socket.connect(address).await.ok()?;
    let name = ServerName::from(address.ip());
    connector.connect(name, stream).await.ok()
}

/// Takes room until the service closes the connection.
async fn hold(mut stream: TlsStream<TcpStream>, index: usize) {
    match index % 3 {
        0 => {
            stream.write_all(HEAD).await.ok();
            let (mut read, mut write) = tokio::io::split(stream);
            let mut response = [0; 1024];
            let trickle = async {
                while write.write_all(b"x").await.is_ok() && write.flush().await.is_ok() {
                    sleep(Duration::from_secs(1)).await;
                }
            };
            tokio::select! {
                () = trickle => {}
                _ = read.read(&mut response) => {}
            }
        }
        1 => {
            let mut sent = stream.write_all(&REQUEST.repeat(PIPELINED)).await;
            while sent.is_ok() && stream.flush().await.is_ok() {
                sleep(Duration::from_secs(1)).await;
                sent = stream.write_all(REQUEST).await;
            }
        }
        _ => {
            stream.read_to_end(&mut Vec::new()).await.ok();
        }
    }
}

/// Callers of a service with users' tokens.
struct Callers {
    url: String,
    /// Those who keep their connection.
    kept: Vec<(Client, String)>,
    /// Those who connect for each request.
    fresh: Vec<(Client, String)>,
}

/// The requests of callers.
struct Run {
    succeeded: usize,
    sent: usize,
    took: Duration,
}

impl Run {
    #[allow(clippy::cast_precision_loss, reason = "far below 2^52")]
    fn per_second(&self) -> f64 {
        self.succeeded as f64 / self.took.as_secs_f64()
    }
}

impl Callers {
    /// Signs users in.
    async fn new(setup: &Setup, process: &Process, certificate: &str) -> Self {
        let mut callers = [Vec::new(), Vec::new()];
        for caller in 0..2 * CALLERS {
            let token = setup.token(&format!("user-{caller}"));
            let client = if caller < CALLERS {
                http_trusting(certificate)
            } else {
                http_trusting_once(certificate)
            };
            let created = client.post(process.url("api/user")).bearer_auth(&token).send();
            assert_eq!(created.await.unwrap().status(), 201);
            callers[caller / CALLERS].push((client, token));
        }
        let [kept, fresh] = callers;
        let url = process.url("api/token");
        Self { url, kept, fresh }
    }

    /// Sends requests for tokens, one after another for each caller: those who keep their connection, and the others.
    async fn run(&self, requests: usize) -> [Run; 2] {
        tokio::join!(
            self.run_some(&self.kept, requests),
            self.run_some(&self.fresh, requests)
        )
        .into()
    }

    async fn run_some(&self, callers: &[(Client, String)], requests: usize) -> Run {
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for (client, token) in callers {
            let (client, token, url) = (client.clone(), token.clone(), self.url.clone());
            tasks.spawn(async move {
                let mut succeeded = 0;
                for _ in 0..requests {
                    let response = client.get(&url).bearer_auth(&token).send().await;
                    succeeded += usize::from(response.is_ok_and(|response| response.status() == 201));
                }
                succeeded
            });
        }
        let succeeded = tasks.join_all().await.into_iter().sum();
        Run {
            succeeded,
            sent: requests * callers.len(),
            took: started.elapsed(),
        }
    }
}

/// Creates a client that connects for each request.
fn http_trusting_once(certificate: &str) -> Client {
    let certificate = reqwest::Certificate::from_pem(certificate.as_bytes()).unwrap();
    let client = Client::builder().no_proxy().pool_max_idle_per_host(0);
    client.tls_certs_only([certificate]).build().unwrap()
}

/// Returns the resident memory of a process, in MiB.
fn memory(process: &Process) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}

/// Returns the value of a series in `/metrics`, or 0 without it.
async fn metric(operations: &Client, process: &Process, series: &str) -> u64 {
    let response = operations.get(process.operations_url("metrics")).send().await.unwrap();
    let text = response.text().await.unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(series));
    value.map_or(0, |value| value.trim().parse().unwrap())
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[allow(clippy::print_stdout, reason = "shows what it measures")]
async fn hostile_connections_do_not_shut_callers_out() {
    let asked: Option<usize> = env::var("HOSTILE").ok().map(|number| number.parse().unwrap());
    let (hostile, limit, requests, pause) = match asked {
        Some(number) => (number, String::new(), LONG_REQUESTS, Some(PAUSE)),
        None => (HOSTILE, format!("connections = {LIMIT}\n"), REQUESTS, None),
    };
    rlimit::increase_nofile_limit(3 * hostile as u64 + 1000).unwrap();
    let setup = Setup::new().await;
    let certificate = renew(&setup.directory);
    let sections = format!(
        "[tls]\ncertificate = 'service.pem'\nkey = 'service.key'\n[limits]\n{limit}requests_per_minute = 1000000\n\
         [log]\nfilter = 'warn'\n[database]\nmax_connections = 1"
    );
    let mut process = setup
        .start(&setup.configuration("operations_listen = '127.0.0.1:0'", &sections))
        .await;
    let address: SocketAddr = process
        .text("endpoint")
        .trim_start_matches("https://")
        .trim_end_matches('/')
        .parse()
        .unwrap();
    let callers = Callers::new(&setup, &process, &certificate).await;
    let operations = http();
    let open = "token_service_http_connections{listener=\"api\"} ";
    let closed = "token_service_http_connections_closed_total{listener=\"api\",reason=\"limit\"} ";
    metric(&operations, &process, open).await;

    callers.run(REQUESTS).await;
    let without = callers.run(requests).await;
    let (files, mebibytes) = (process.open_files(), memory(&process));

    let clients = Hostile::start(hostile, address, &certificate, pause);
    soon("the hostile connections", clients.connected(hostile)).await;
    let with = callers.run(requests).await;
    let (files_with, mebibytes_with) = (process.open_files(), memory(&process));
    let open_with = metric(&operations, &process, open).await;
    let closed_for_others = metric(&operations, &process, closed).await;
    process.logged("there is no room for another connection").await;

    drop(clients);
    let dropped = Instant::now();
    // Callers without a connection of their own may have one that is about to be closed.
    soon("the files of closed connections", async {
        while metric(&operations, &process, open).await > CALLERS as u64 || process.open_files() > files + OTHER_FILES {
        }
    })
    .await;
    let recovery = dropped.elapsed().as_secs_f64();

    println!("{hostile} hostile connections beside callers:");
    let mut ratios = Vec::new();
    for (with, without, name) in [
        (&with[0], &without[0], "who keep their connection"),
        (&with[1], &without[1], "who connect for each request"),
    ] {
        let ratio = with.per_second() / without.per_second();
        println!(
            "  {CALLERS} {name}:\n    \
             {} of {} requests succeeded, and {} of {} without them; goal: all, {}\n    \
             {:.0} requests a second, and {:.0} without them, a ratio of {ratio:.2}; goal: {LEAST_THROUGHPUT} at least, {}",
            with.succeeded,
            with.sent,
            without.succeeded,
            without.sent,
            verdict(with.succeeded == with.sent),
            with.per_second(),
            without.per_second(),
            verdict(ratio >= LEAST_THROUGHPUT),
        );
        ratios.push(ratio);
    }
    println!(
        "  connections in the service: {open_with}; closed for others: {closed_for_others}\n  \
         memory: {mebibytes} MiB before, {mebibytes_with} MiB with them, {} MiB after\n  \
         open files: {files} before, {files_with} with them; back {recovery:.1} s after they were gone; \
         goal: {MOST_SECONDS_OF_RECOVERY} s at most, {}",
        memory(&process),
        verdict(recovery <= MOST_SECONDS_OF_RECOVERY),
    );
    for run in [&with[0], &with[1], &without[0], &without[1]] {
        assert_eq!(run.succeeded, run.sent);
    }
    assert!(closed_for_others > 0);
    if asked.is_some() {
        let is_fast = ratios.iter().all(|ratio| *ratio >= LEAST_THROUGHPUT);
        assert!(is_fast && recovery <= MOST_SECONDS_OF_RECOVERY);
    } else {
        assert!(open_with <= LIMIT.into(), "{open_with}");
    }
    process.signal("-TERM").await;
    assert_eq!(process.ended().await.code, Some(0));
}
