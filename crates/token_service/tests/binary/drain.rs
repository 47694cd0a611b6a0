//! The drain of in-flight requests.

use crate::{
    process::{Process, command, soon},
    setup::Setup,
    support::{
        gate::{CREATE, Gate, Stop},
        http,
    },
};
use reqwest::Response;
use std::{ffi::OsStr, fs, sync::Arc};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A service with an in-flight request, which waits at a gate before the emulator.
struct InFlight {
    setup: Setup,
    _gate: Gate,
    stop: Arc<Stop>,
    process: Process,
    request: JoinHandle<reqwest::Result<Response>>,
}

async fn in_flight(drain_seconds: u32) -> InFlight {
    let setup = Setup::new().await;
    let gate = Gate::before(&setup.emulator).await;
    let stop = gate.stop(CREATE);
    let configuration = setup.configuration_for(
        &gate.connection_string(),
        "operations_listen = '127.0.0.1:0'",
        &format!("[shutdown]\ndrain_seconds = {drain_seconds}"),
    );
    let process = setup.start(&configuration).await;
    let request = http().post(process.url("api/user")).bearer_auth(setup.token("alice"));
    let request = tokio::spawn(request.send());
    soon("a request for the resource", stop.arrived()).await;
    InFlight {
        setup,
        _gate: gate,
        stop,
        process,
        request,
    }
}

#[tokio::test]
async fn in_flight_requests_are_answered_before_the_exit() {
    let InFlight {
        setup,
        _gate,
        stop,
        mut process,
        request,
    } = in_flight(3600).await;
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

    stop.open();
    let response = soon("the reply", request).await;
    assert_eq!(response.unwrap().unwrap().status(), 201);
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.log.contains("all requests have been answered"), "{ended:?}");
    // The identity was stored.
    let process = setup.start(&setup.configuration("", "")).await;
    let user = http().get(process.url("api/user")).bearer_auth(setup.token("alice"));
    assert_eq!(user.send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn requests_are_cut_off_after_the_drain_timeout() {
    let InFlight {
        process,
        request,
        _gate,
        ..
    } = in_flight(0).await;
    process.signal("-TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(ended.log.contains("cut off"), "{ended:?}");
    assert!(soon("the end of the request", request).await.unwrap().is_err());
}

#[tokio::test]
async fn connections_are_accepted_during_the_delay() {
    let setup = Setup::new().await;
    let operations = "operations_listen = '127.0.0.1:0'";
    let shutdown = "[shutdown]\ndelay_seconds = 3600";
    let mut process = setup.start(&setup.configuration(operations, shutdown)).await;
    process.signal("-TERM").await;
    process.logged("shutting down").await;
    let ready = http().get(process.operations_url("readyz")).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    let request = http().post(process.url("api/user")).bearer_auth(setup.token("alice"));
    assert_eq!(request.send().await.unwrap().status(), 201);
    process.signal("-TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[tokio::test]
async fn second_signal_stops_the_service_at_once() {
    let InFlight {
        mut process,
        request,
        _gate,
        ..
    } = in_flight(3600).await;
    process.signal("-INT").await;
    process.logged("shutting down").await;
    process.signal("-INT").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(soon("the end of the request", request).await.unwrap().is_err());
}

/// A port scan, or a client that lost its network, leaves such a connection.
#[tokio::test]
async fn incomplete_head_is_not_in_flight() {
    let setup = Setup::new().await;
    for drain_seconds in [0, 3600] {
        let shutdown = format!("[shutdown]\ndrain_seconds = {drain_seconds}");
        let process = setup.start(&setup.configuration("", &shutdown)).await;
        let address = process.text("endpoint").trim_start_matches("http://");
        let mut client = TcpStream::connect(address.trim_end_matches('/')).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        // This request came after the incomplete one.
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
async fn service_stops_while_it_waits_for_its_database() {
    let setup = Setup::new().await;
    // It accepts connections, and sends nothing.
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
