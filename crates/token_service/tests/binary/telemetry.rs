//! The log, the metrics and the traces of the program.

use crate::{
    process::{Process, soon},
    setup::Setup,
    support::{
        gate::{CREATE, Gate},
        http,
    },
};
use acs_identity_emulator::{Emulator, Fault};
use serde_json::Value;
use std::collections::BTreeSet;
use tokio::{io::AsyncWriteExt, net::TcpStream};

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const TRACEPARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// Returns the header `traceparent` of each request to the emulator.
pub(crate) async fn received(emulator: &Emulator) -> Vec<String> {
    let url = format!("{}requests", emulator.control_endpoint());
    let log: Value = http().get(url).send().await.unwrap().json().await.unwrap();
    let requests = log["requests"].as_array().unwrap().iter();
    requests
        .map(|request| request["traceparent"].as_str().unwrap().to_owned())
        .collect()
}

/// Requests a token of alice, with a trace.
async fn request(process: &Process, setup: &Setup) -> reqwest::Response {
    let request = http().post(process.url("token")).bearer_auth(setup.token("alice"));
    request.header("traceparent", TRACEPARENT).send().await.unwrap()
}

#[tokio::test]
async fn each_attempt_continues_the_logged_trace() {
    let setup = Setup::new().await;
    let configuration = setup.configuration("", "[log]\nformat = 'json'");
    let mut process = setup.start(&configuration).await;
    setup.emulator.inject(Fault::status(503).times(1)).unwrap();
    let response = request(&process, &setup).await;
    assert_eq!(response.status(), 200);
    let line: Value = serde_json::from_str(&process.logged("answered").await).unwrap();
    assert_eq!(line["span"]["trace_id"], TRACE_ID, "{line}");
    assert_eq!(
        line["span"]["id"],
        response.headers()["x-request-id"].to_str().unwrap(),
        "{line}"
    );

    let received = received(&setup.emulator).await;
    assert_eq!(
        received.len(),
        3,
        "a failed creation, another, and a token: {received:?}"
    );
    let distinct: BTreeSet<_> = received.iter().map(String::as_str).chain([TRACEPARENT]).collect();
    assert_eq!(distinct.len(), 4, "each has a parent of its own: {received:?}");
    assert!(
        received.iter().all(|traceparent| traceparent.contains(TRACE_ID)),
        "{received:?}"
    );
}

#[tokio::test]
async fn warnings_have_the_ids_of_their_request() {
    let setup = Setup::new().await;
    let configuration = setup.configuration("", "[log]\nformat = 'json'\nfilter = 'warn'");
    let mut process = setup.start(&configuration).await;
    setup.emulator.inject(Fault::status(400)).unwrap();
    let response = request(&process, &setup).await;
    assert_eq!(response.status(), 502);
    let line: Value = serde_json::from_str(&process.logged("refused a request").await).unwrap();
    assert_eq!(line["level"], "WARN");
    let id = response.headers()["x-request-id"].to_str().unwrap();
    assert_eq!(
        (&line["span"]["id"], &line["span"]["trace_id"]),
        (&id.into(), &TRACE_ID.into())
    );
    process.signal("-TERM").await;
    let log = process.ended().await.log;
    assert!(!log.contains("answered"), "the level of events is as before: {log}");
}

#[tokio::test]
async fn caller_who_disconnects_is_logged_and_counted() {
    let setup = Setup::new().await;
    let gate = Gate::before(&setup.emulator).await;
    let stop = gate.stop(CREATE);
    let configuration = setup.configuration_for(&gate.connection_string(), "", "");
    let mut process = setup.start(&configuration).await;
    let address = process
        .text("endpoint")
        .trim_start_matches("http://")
        .trim_end_matches('/');
    let mut caller = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /api/user HTTP/1.1\r\nhost: localhost\r\nx-request-id: gone-4711\r\nauthorization: Bearer {}\r\n\r\n",
        setup.token("alice")
    );
    caller.write_all(head.as_bytes()).await.unwrap();
    soon("a request for the resource", stop.arrived()).await;
    drop(caller);
    let line = process.logged("not answered").await;
    assert!(line.contains("gone-4711") && line.contains("499"), "{line}");
    let metrics = http().get(process.operations_url("metrics")).send().await.unwrap();
    let metrics = metrics.text().await.unwrap();
    let series = r#"token_service_http_requests_total{method="POST",route="/api/user",status="499"} 1"#;
    assert!(metrics.contains(series), "{metrics}");
    stop.open();
}

#[tokio::test]
async fn public_operations_are_warned_of() {
    let setup = Setup::new().await;
    let start = async |addresses: &str| {
        let configuration = setup.configuration("", "");
        let (_, rest) = configuration.split_once('\n').unwrap();
        let process = setup
            .start(&format!("{addresses}\nallow_plain_http = true\n{rest}"))
            .await;
        process.signal("-TERM").await;
        let log = process.ended().await.log;
        let warnings = log.lines().filter(|line| line.contains("WARN"));
        warnings.map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    for (addresses, part) in [
        ("listen = '0.0.0.0:0'", "set operations_listen"),
        (
            "listen = '0.0.0.0:0'\noperations_listen = '0.0.0.0:0'",
            "operations_listen is neither loopback nor a private address",
        ),
    ] {
        let warnings = start(addresses).await;
        assert!(
            warnings.len() == 1 && warnings[0].contains(part),
            "{addresses}: {warnings:?}"
        );
    }
    let private = "listen = '0.0.0.0:0'\noperations_listen = '127.0.0.1:0'";
    assert_eq!(start(private).await, Vec::<String>::new());
    assert_eq!(start("listen = '127.0.0.1:0'").await, Vec::<String>::new());
}
