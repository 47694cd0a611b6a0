//! The trace of a request, as the emulator's log has it.

use crate::{
    setup::{Setup, send, settled},
    support::gate::ISSUE,
};
use acs_identity_emulator::Fault;
use reqwest::Method;
use std::collections::BTreeSet;

const TRACE_ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT_ID: &str = "00f067aa0ba902b7";

/// The trace and the parent of each request to the emulator, the oldest first.
async fn traces(setup: &Setup) -> Vec<(String, String)> {
    let log = setup.acs_log().await;
    let traces = log.iter().rev().map(|request| {
        let traceparent = request["traceparent"].as_str().unwrap();
        let fields: Vec<_> = traceparent.split('-').collect();
        let [version, trace_id, parent_id, _flags] = *fields else {
            panic!("{traceparent}")
        };
        assert_eq!(
            (version, trace_id.len(), parent_id.len()),
            ("00", 32, 16),
            "{traceparent}"
        );
        (trace_id.to_owned(), parent_id.to_owned())
    });
    traces.collect()
}

/// Creates an identity and a token, with this header.
async fn sign_in(setup: &Setup, traceparent: &str) {
    let request = setup.request(Method::POST, "/token").bearer_auth(setup.caller("alice"));
    let request = request.header("traceparent", traceparent);
    send(request).await.assert_status(200);
}

#[tokio::test]
async fn calls_continue_the_callers_trace() {
    let setup = Setup::start().await;
    sign_in(&setup, &format!("00-{TRACE_ID}-{PARENT_ID}-01")).await;
    let traces = traces(&setup).await;
    assert_eq!(traces.len(), 2, "an identity and a token: {traces:?}");
    assert!(traces.iter().all(|(trace_id, _)| trace_id == TRACE_ID), "{traces:?}");
    let mut parents: BTreeSet<_> = traces.iter().map(|(_, parent_id)| parent_id.as_str()).collect();
    parents.insert(PARENT_ID);
    assert_eq!(parents.len(), 3, "each has a parent of its own: {traces:?}");
}

#[tokio::test]
async fn request_without_a_trace_starts_one() {
    let setup = Setup::start().await;
    sign_in(&setup, &format!("00-{TRACE_ID}-{PARENT_ID}")).await;
    setup.post("/api/user", &setup.caller("bob")).await.assert_status(201);
    let traces = traces(&setup).await;
    assert_eq!(traces.len(), 3);
    assert_eq!(traces[0].0, traces[1].0, "they are of one request");
    assert_ne!(traces[1].0, traces[2].0);
    assert!(traces.iter().all(|(trace_id, _)| trace_id != TRACE_ID), "{traces:?}");
}

#[tokio::test]
async fn shared_call_has_its_first_callers_trace() {
    let (setup, gate) = Setup::gated(|builder| builder).await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    let stop = gate.stop(ISSUE);
    let first = setup.request(Method::GET, "/api/token").bearer_auth(&alice);
    let first = tokio::spawn(send(
        first.header("traceparent", format!("00-{TRACE_ID}-{PARENT_ID}-01")),
    ));
    stop.arrived().await;
    let second = setup.begin(Method::GET, "/api/token", &alice);
    settled().await;
    stop.open();
    first.await.unwrap().assert_status(201);
    second.await.unwrap().assert_status(201);
    let traces = traces(&setup).await;
    assert_eq!(traces.len(), 2, "an identity and a token: {traces:?}");
    assert_eq!(traces[1].0, TRACE_ID);
}

#[tokio::test]
async fn calls_of_the_sweep_have_no_trace() {
    let setup = Setup::start().await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    let fault = setup.emulator.inject(Fault::status(503)).unwrap();
    setup
        .delete("/api/user", &alice)
        .await
        .assert_error(503, "acs_unavailable");
    setup.emulator.remove_fault(fault);
    setup.clock.advance(std::time::Duration::from_mins(10));
    assert_eq!(setup.service.sweep().await.unwrap().deleted, 1);
    let log = setup.acs_log().await;
    assert_eq!(
        (&log[0]["operation"], &log[0]["status"]),
        (&"deleteIdentity".into(), &204.into())
    );
    assert_eq!(log[0].get("traceparent"), None, "{log:?}");
    assert!(log[1]["traceparent"].is_string(), "{log:?}");
}
