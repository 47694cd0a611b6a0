//! How the service ends.

use crate::{
    gate::Gate,
    process::{Process, command, soon},
    setup::{Setup, http},
};
use reqwest::Response;
use std::{ffi::OsStr, fs};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A service with a request that is under way until the gate is opened.
struct UnderWay {
    setup: Setup,
    gate: Gate,
    process: Process,
    request: JoinHandle<reqwest::Result<Response>>,
}

async fn under_way(drain_seconds: u32) -> UnderWay {
    let setup = Setup::new().await;
    let gate = Gate::start().await;
    let configuration = setup.configuration_for(
        gate.connection_string(),
        "operations_listen = '127.0.0.1:0'",
        &format!("[shutdown]\ndrain_seconds = {drain_seconds}"),
    );
    let process = setup.start(&configuration).await;
    let request = http().post(process.url("api/user")).bearer_auth(setup.token("alice"));
    let request = tokio::spawn(request.send());
    gate.arrived().await;
    UnderWay {
        setup,
        gate,
        process,
        request,
    }
}

#[tokio::test]
async fn requests_under_way_are_answered_before_the_end() {
    let UnderWay {
        setup,
        gate,
        mut process,
        request,
    } = under_way(3600).await;
    let ready = || http().get(process.operations_url("readyz")).send();
    assert_eq!(ready().await.unwrap().status(), 200);

    process.signal("-TERM").await;
    process.logged("shutting down").await;
    let address = process
        .text("endpoint")
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned();
    soon("a closed listener", async {
        while TcpStream::connect(&address).await.is_ok() {}
    })
    .await;
    let response = http().get(process.operations_url("readyz")).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(!request.is_finished());

    gate.open();
    let response = soon("the answer", request).await;
    assert_eq!(response.unwrap().unwrap().status(), 201);
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.log.contains("all requests have been answered"), "{ended:?}");
    // What was answered is remembered.
    let process = setup.start(&setup.configuration("", "")).await;
    let user = http().get(process.url("api/user")).bearer_auth(setup.token("alice"));
    assert_eq!(user.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn requests_are_cut_off_when_their_time_is_over() {
    let UnderWay {
        process, request, gate, ..
    } = under_way(0).await;
    process.signal("-TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.log.contains("cut off"), "{ended:?}");
    assert!(soon("the end of the request", request).await.unwrap().is_err());
    drop(gate);
}

#[tokio::test]
async fn a_second_signal_ends_the_service_at_once() {
    let UnderWay {
        mut process,
        request,
        gate,
        ..
    } = under_way(3600).await;
    process.signal("-INT").await;
    process.logged("shutting down").await;
    process.signal("-INT").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(soon("the end of the request", request).await.unwrap().is_err());
    drop(gate);
}

/// As a scan of ports or a client that has lost its network leaves it.
#[tokio::test]
async fn half_a_head_of_a_request_is_nothing_under_way() {
    let setup = Setup::new().await;
    for drain_seconds in [0, 3600] {
        let shutdown = format!("[shutdown]\ndrain_seconds = {drain_seconds}");
        let process = setup.start(&setup.configuration("", &shutdown)).await;
        let address = process.text("endpoint").trim_start_matches("http://");
        let mut client = TcpStream::connect(address.trim_end_matches('/')).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        // Whoever is answered came later.
        let ready = http().get(process.url("readyz")).send().await.unwrap();
        assert_eq!(ready.status(), 200);
        process.signal("-TERM").await;
        let ended = process.ended().await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(ended.log.contains("all requests have been answered"), "{ended:?}");
        drop(client);
    }
}

#[tokio::test]
async fn a_service_that_waits_for_its_database_ends_when_it_is_told_to() {
    let setup = Setup::new().await;
    // It accepts, and never says anything.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let database = format!("[database]\nurl = 'postgres://a@{}/b'", silent.local_addr().unwrap());
    let path = setup.directory.join("service.toml");
    fs::write(&path, setup.configuration("", &database)).unwrap();
    for signal in ["-TERM", "-INT"] {
        let process = Process::begin(&mut command(&[OsStr::new("--config"), path.as_os_str()]));
        let (connection, _) = soon("a connection to the database", silent.accept()).await.unwrap();
        process.signal(signal).await;
        let ended = process.ended().await;
        assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{ended:?}");
        assert!(
            ended.log.contains("stopped before the service was ready"),
            "{signal}: {ended:?}"
        );
        drop(connection);
    }
}
