//! Start, shutdown, and the properties of an emulator.

use crate::{
    client::{Client, builder, decode, start},
    signer::KEY,
    wire::{address, begin_upload, rest},
};
use acs_identity_emulator::{Emulator, EmulatorBuilder, EmulatorError, TokenAlgorithm, TokenKey, Uuid};
use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::aws_lc_rs, pki_types::ServerName, version::TLS13};
use std::{fmt::Debug, net::Ipv4Addr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::yield_now,
    time::{self, Instant},
};

/// The time that a shutdown waits for requests in progress.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);

#[test]
fn emulator_is_shared_between_threads() {
    fn shareable<T: Send + Sync + Debug>() {}
    shareable::<Emulator>();
    shareable::<EmulatorBuilder>();
    shareable::<EmulatorError>();
}

#[tokio::test]
async fn two_emulators_share_nothing() {
    let (one, other) = (start().await, start().await);
    assert_ne!(one.access_key(), other.access_key());
    assert_ne!(one.resource_id(), other.resource_id());
    assert_ne!(one.endpoint(), other.endpoint());
    assert_ne!(one.ca_pem(), other.ca_pem());
}

#[tokio::test]
async fn emulator_has_the_given_key_and_id() {
    let resource_id = Uuid::from_u128(7);
    let emulator = builder()
        .access_key(KEY)
        .resource_id(resource_id)
        .start()
        .await
        .unwrap();
    assert_eq!(
        (emulator.access_key(), emulator.resource_id()),
        (KEY.to_owned(), resource_id)
    );
    let (endpoint, https_endpoint) = (emulator.endpoint(), emulator.https_endpoint());
    assert_eq!(
        emulator.connection_string(),
        format!("endpoint={endpoint};accesskey={KEY}")
    );
    assert_eq!(
        emulator.https_connection_string(),
        format!("endpoint={https_endpoint};accesskey={KEY}")
    );
    assert_eq!(emulator.control_endpoint(), format!("{endpoint}_emulator/"));
    assert!(
        Client::over_http(&emulator)
            .create()
            .await
            .starts_with(&format!("8:acs:{resource_id}_"))
    );
}

#[tokio::test]
async fn token_key_can_be_shared() {
    let key = TokenKey::generate(TokenAlgorithm::Es256);
    assert_eq!(key.algorithm(), TokenAlgorithm::Es256);
    let mut kids = Vec::new();
    for key in [key.clone(), key, TokenKey::generate(TokenAlgorithm::Es256)] {
        let emulator = Emulator::builder().token_key(key).start().await.unwrap();
        let client = Client::over_http(&emulator);
        kids.push(decode(&client.issue_chat(&client.create().await).await, 0)["kid"].clone());
    }
    assert_eq!(kids[0], kids[1]);
    assert_ne!(kids[0], kids[2]);
}

#[tokio::test]
async fn first_token_waits_for_the_key() {
    let emulator = Emulator::builder().start().await.unwrap();
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    assert_eq!(decode(&client.issue_chat(&id).await, 0)["alg"], "RS256");
}

#[tokio::test]
async fn wrong_option_is_named() {
    let error = builder().access_key("secret").start().await.unwrap_err();
    assert!(matches!(error, EmulatorError::AccessKey(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("secret"));

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    for builder in [builder().port(port), builder().https_port(port)] {
        let error = builder.start().await.unwrap_err();
        assert!(
            matches!(error, EmulatorError::Bind { address, .. } if address == (Ipv4Addr::LOCALHOST, port).into()),
            "{error:?}"
        );
        assert!(
            error
                .to_string()
                .starts_with(&format!("cannot listen on 127.0.0.1:{port}: ")),
            "{error}"
        );
    }
}

#[tokio::test]
async fn shutdown_frees_the_ports() {
    assert_frees_the_ports(Emulator::shutdown).await;
}

#[tokio::test]
async fn drop_closes_connections_and_frees_the_ports() {
    assert_frees_the_ports(async |emulator: Emulator| {
        let mut idle = TcpStream::connect(address(emulator.endpoint())).await.unwrap();
        drop(emulator);
        assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    })
    .await;
}

#[tokio::test]
async fn shutdown_ignores_idle_connections() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    client.create().await;
    let mut silent = TcpStream::connect(address(emulator.endpoint())).await.unwrap();
    assert!(time_to_shut_down(emulator).await < SHUTDOWN_TIMEOUT);
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn shutdown_ignores_a_stalled_handshake() {
    let emulator = start().await;
    let mut stream = TcpStream::connect(address(emulator.https_endpoint())).await.unwrap();
    stream.write_all(&client_hello()).await.unwrap();
    // The emulator responds, so the handshake has begun. It is never finished.
    stream.read_u8().await.unwrap();
    assert!(time_to_shut_down(emulator).await < SHUTDOWN_TIMEOUT);
}

#[tokio::test]
async fn shutdown_lets_a_request_finish() {
    let emulator = start().await;
    let mut stream = begin_upload(address(emulator.endpoint())).await;
    let shutdown = tokio::spawn(emulator.shutdown());
    yield_now().await;
    stream.write_all(b"{}").await.unwrap();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200 OK\r\n"));
    shutdown.await.unwrap();
}

#[tokio::test]
async fn shutdown_cuts_a_stalled_request_off() {
    let emulator = start().await;
    let mut stream = begin_upload(address(emulator.endpoint())).await;
    assert_eq!(time_to_shut_down(emulator).await.as_secs(), SHUTDOWN_TIMEOUT.as_secs());
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

/// Asserts that both ports are free after one of several attempts, as another process may take a port in between.
async fn assert_frees_the_ports(end: impl AsyncFn(Emulator)) {
    for _ in 0..10 {
        let emulator = start().await;
        let [http, https] =
            [emulator.endpoint(), emulator.https_endpoint()].map(|endpoint| address(endpoint).to_owned());
        end(emulator).await;
        if TcpListener::bind(http).await.is_ok() && TcpListener::bind(https).await.is_ok() {
            return;
        }
    }
    panic!("the ports are still taken");
}

/// Shuts an emulator down under a paused clock, which advances only when everything waits for a timer.
async fn time_to_shut_down(emulator: Emulator) -> Duration {
    time::pause();
    let start = Instant::now();
    emulator.shutdown().await;
    let elapsed = start.elapsed();
    time::resume();
    elapsed
}

/// The first message of a TLS client.
fn client_hello() -> Vec<u8> {
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let mut connection = ClientConnection::new(Arc::new(config), ServerName::from(Ipv4Addr::LOCALHOST)).unwrap();
    let mut hello = Vec::new();
    connection.write_tls(&mut hello).unwrap();
    hello
}
