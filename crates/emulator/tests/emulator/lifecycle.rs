//! Starting, stopping, and what an emulator says of itself.

use crate::{
    client::{Client, builder, decode, start},
    wire::address,
};
use acs_identity_emulator::{Emulator, EmulatorBuilder, EmulatorError, TokenAlgorithm, TokenKey, Uuid};
use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Shorter than the emulator would wait before it cuts connections off, longer than anything takes.
const LONG: Duration = Duration::from_secs(4);
const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";

#[test]
fn an_emulator_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync + std::fmt::Debug>() {}
    shareable::<Emulator>();
    shareable::<EmulatorBuilder>();
    shareable::<EmulatorError>();
}

#[tokio::test]
async fn emulators_are_strangers_unless_told_otherwise() {
    let (one, other) = (start().await, start().await);
    assert_ne!(one.access_key(), other.access_key());
    assert_ne!(one.resource_id(), other.resource_id());
    assert_ne!(one.endpoint(), other.endpoint());
    assert_ne!(one.ca_pem(), other.ca_pem());
}

#[tokio::test]
async fn an_emulator_is_what_it_is_told_to_be() {
    let resource_id = Uuid::from_u128(7);
    let emulator = builder()
        .access_key(KEY)
        .resource_id(resource_id)
        .start()
        .await
        .unwrap();
    assert_eq!((emulator.access_key(), emulator.resource_id()), (KEY, resource_id));
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
async fn a_token_key_can_be_shared() {
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
async fn what_is_wrong_with_the_options_is_said() {
    let error = builder().access_key("secret").start().await.unwrap_err();
    assert!(matches!(error, EmulatorError::AccessKey(_)), "{error:?}");
    assert!(!format!("{error} {error:?}").contains("secret"));

    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = taken.local_addr().unwrap().port();
    for builder in [builder().port(port), builder().https_port(port)] {
        let error = builder.start().await.unwrap_err();
        assert!(
            matches!(error, EmulatorError::Bind { port: named, .. } if named == port),
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
async fn shutting_down_frees_the_ports_and_does_not_wait_for_idle_connections() {
    let emulator = start().await;
    let address: SocketAddr = address(&emulator).parse().unwrap();
    let client = Client::over_http(&emulator);
    client.create().await;
    let mut silent = TcpStream::connect(address).await.unwrap();
    timeout(LONG, emulator.shutdown()).await.unwrap();
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(address).await.is_err());
    drop(TcpListener::bind(address).await.unwrap());
}

#[tokio::test]
async fn shutting_down_lets_a_request_under_way_finish() {
    let emulator = start().await;
    let mut stream = TcpStream::connect(address(&emulator)).await.unwrap();
    let head =
        "POST /_emulator/entra/tokens HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    // The emulator asks for the body, so it is at the request.
    let mut answer = vec![0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut answer).await.unwrap();

    let shutdown = tokio::spawn(emulator.shutdown());
    tokio::task::yield_now().await;
    stream.write_all(b"{}").await.unwrap();
    answer.clear();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    timeout(LONG, shutdown).await.unwrap().unwrap();
}

#[tokio::test]
async fn dropping_ends_it_too() {
    let emulator = start().await;
    let address = address(&emulator).to_owned();
    let mut idle = TcpStream::connect(&address).await.unwrap();
    drop(emulator);
    assert_eq!(idle.read(&mut [0; 1]).await.unwrap_or(0), 0);
    assert!(TcpStream::connect(&address).await.is_err());
}

/// As Entra tokens and issued ones wait for the key, readiness does not.
#[tokio::test]
async fn the_first_token_waits_for_the_key() {
    let emulator = Emulator::builder().start().await.unwrap();
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    assert_eq!(decode(&client.issue_chat(&id).await, 0)["alg"], "RS256");
}
