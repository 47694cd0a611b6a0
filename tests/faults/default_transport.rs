//! The default transport, which reads the environment.

use crate::{
    bounded,
    harness::settle,
    kinds::healthy_server,
    recorder::{Recorder, client},
    reply::documented,
    request::RawRequest,
    rule::{Failure, Kind},
    support::{
        child::{NO_CERTIFICATES, is_child},
        emulator::strict,
        fixtures::KEY,
        http_client::http_client,
        raw_server::RawServer,
    },
};
use acs_identity_emulator::Emulator;
use azure_communication_identity::{AzureKeyCredential, CommunicationIdentityClient};
use azure_core::time::Duration;
use std::{env, fs, pin::pin, thread};
use tokio::runtime::{Builder, Runtime};

/// The lives of several runtimes.
#[derive(Clone, Copy, Debug)]
enum Succession {
    /// Each ends before the next begins.
    OneAfterAnother,
    /// Each is kept, but not driven any more.
    Kept,
    /// Several threads have one at a time each.
    Concurrent,
}

const SUCCESSIONS: [Succession; 3] = [Succession::OneAfterAnother, Succession::Kept, Succession::Concurrent];

const THREADS: usize = 4;
const CALLS: usize = 12;

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Makes a call on each of several runtimes.
fn call(client: &CommunicationIdentityClient, keep: bool) {
    let mut kept = Vec::new();
    for _ in 0..CALLS {
        let runtime = runtime();
        let created = runtime.block_on(client.create_user(None)).unwrap();
        created.into_model().unwrap();
        if keep {
            kept.push(runtime);
        }
    }
}

#[test]
fn a_client_works_on_successive_runtimes() {
    if !is_child("default_transport::a_client_works_on_successive_runtimes", &[]) {
        return;
    }
    let home = live_runtime();
    for succession in SUCCESSIONS {
        let emulator = home.block_on(strict().start()).unwrap();
        let client = CommunicationIdentityClient::with_connection_string(&emulator.connection_string(), None).unwrap();
        let calls = match succession {
            Succession::OneAfterAnother | Succession::Kept => {
                call(&client, matches!(succession, Succession::Kept));
                CALLS
            }
            Succession::Concurrent => {
                thread::scope(|scope| {
                    for _ in 0..THREADS {
                        scope.spawn(|| call(&client, false));
                    }
                });
                THREADS * CALLS
            }
        };
        assert_eq!(emulator.identity_count(), calls, "{succession:?}");
    }
}

/// Starts a runtime with a thread that drives it.
fn live_runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn each_live_runtime_has_one_connection() {
    const RUNTIMES: usize = 20;
    const ROUNDS: usize = 5;
    if !is_child("default_transport::each_live_runtime_has_one_connection", &[]) {
        return;
    }
    let home = live_runtime();
    let server = home.block_on(healthy_server());
    let key = AzureKeyCredential::new(KEY).unwrap();
    let client = CommunicationIdentityClient::with_key_credential(&server.endpoint, key, None).unwrap();
    let runtimes: Vec<_> = (0..RUNTIMES).map(|_| live_runtime()).collect();
    for _ in 0..ROUNDS {
        for runtime in &runtimes {
            let client = client.clone();
            // On the thread of the runtime, which also returns the connection to the pool.
            let call = runtime.spawn(async move {
                client.create_user(None).await.unwrap();
                settle().await;
            });
            runtime.block_on(call).unwrap();
        }
    }
    assert_eq!((server.requests(), server.connections()), (ROUNDS * RUNTIMES, RUNTIMES));
}

/// The life of the runtime that opened a connection, when another runtime sends a request on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Opener {
    Ended,
    /// It is kept, but not driven any more.
    Idle,
    /// It is not driven any more, and ends while the request is queued.
    IdleThenEnds,
    /// It is driven, and ends while the request waits for its response.
    LiveThenEnds,
}

/// The failure of a creation on the second runtime, and the number of connections.
///
/// reqwest drives a connection on the runtime that opened it. A request that was only queued gets another connection. One
/// that no task drives, or that was sent, is uncertain.
const OPENERS: [(Opener, Option<Failure>, usize); 4] = [
    (Opener::Ended, None, 2),
    (Opener::Idle, Some(LOST), 1),
    (Opener::IdleThenEnds, None, 2),
    (Opener::LiveThenEnds, Some(LOST), 1),
];

const LOST: Failure = Failure {
    kind: Kind::Io,
    outcome_unknown: true,
};

/// A client of reqwest that the caller supplies serves one runtime at a time. The default transport has one for each.
#[test]
fn a_supplied_http_client_serves_one_runtime_at_a_time() {
    for (opener, failure, connections) in OPENERS {
        let home = live_runtime();
        let server = home.block_on(server_for(opener));
        let mut options = Recorder::new(&http_client()).options();
        options.timeout = (opener == Opener::Idle).then_some(Duration::milliseconds(100));
        let client = client(&server.endpoint, KEY, options);
        let first = runtime();
        first.block_on(async {
            client.create_user(None).await.unwrap();
            settle().await;
        });
        let mut first = Some(first);
        if opener == Opener::Ended {
            drop(first.take());
        }
        let second = runtime();
        let mut creation = pin!(client.create_user(None));
        // Queues the request, without waiting for its response.
        let early = second.block_on(async { futures::poll!(creation.as_mut()) });
        if let (Opener::LiveThenEnds, Some(first)) = (opener, &first) {
            first.block_on(bounded(server.requests_arrived(2)));
        }
        if matches!(opener, Opener::IdleThenEnds | Opener::LiveThenEnds) {
            drop(first.take());
        }
        assert!(early.is_pending(), "{opener:?}");
        let result = second.block_on(creation);
        assert_eq!(
            result.as_ref().err().map(Failure::of),
            failure,
            "{opener:?}: {result:?}"
        );
        assert_eq!(server.connections(), connections, "{opener:?}");
    }
}

/// Starts a server that gives the documented responses, but none to the second request where that one is to be lost.
async fn server_for(opener: Opener) -> RawServer {
    RawServer::start(move |mut connection| async move {
        while let Some(request) = connection.read_request().await? {
            if opener == Opener::LiveThenEnds && connection.committed() > 1 {
                // Until the client closes the connection.
                connection.read_request().await?;
                return Ok(());
            }
            connection.write(documented(&RawRequest(request)).to_bytes()).await?;
        }
        Ok(())
    })
    .await
}

/// A slim container image has none, and azure_core's own transport panics there.
#[test]
fn missing_ca_certificates_are_an_error_with_the_remedy() {
    if !is_child(
        "default_transport::missing_ca_certificates_are_an_error_with_the_remedy",
        &NO_CERTIFICATES,
    ) {
        return;
    }
    let key = format!("accesskey={KEY}");
    for endpoint in ["http://localhost", "https://contoso.communication.azure.com"] {
        let connection_string = format!("endpoint={endpoint};{key}");
        let error = CommunicationIdentityClient::with_connection_string(&connection_string, None).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("Install the system's CA certificates"), "{text}");
        assert!(text.contains("client_options.transport"), "{text}");
    }
}

/// The application has installed another crypto provider, here one with TLS 1.2 only.
#[test]
fn a_client_works_with_another_crypto_provider() {
    let ca = env::temp_dir().join(format!("ca-{}.pem", std::process::id()));
    let variables = [
        ("SSL_CERT_FILE", Some(ca.to_str().unwrap())),
        ("SSL_CERT_DIR", Some("/nonexistent")),
    ];
    if !is_child(
        "default_transport::a_client_works_with_another_crypto_provider",
        &variables,
    ) {
        fs::remove_file(ca).unwrap();
        return;
    }
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.cipher_suites.retain(|suite| suite.tls13().is_none());
    provider.install_default().unwrap();
    runtime().block_on(async {
        let emulator = Emulator::builder().start().await.unwrap();
        fs::write(env::var_os("SSL_CERT_FILE").unwrap(), emulator.ca_pem()).unwrap();
        let connection_string = emulator.https_connection_string();
        let client = CommunicationIdentityClient::with_connection_string(&connection_string, None).unwrap();
        client.create_user(None).await.unwrap();
        assert_eq!(emulator.identity_count(), 1);
    });
}
