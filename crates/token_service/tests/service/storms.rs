//! Many requests of one user at once.

use crate::{
    gate::{CREATE, Gate, ISSUE},
    setup::{Answer, Options, World, send, settled},
};
use acs_identity_emulator::{Fault, Operation};
use reqwest::Method;
use std::{num::NonZeroU32, time::Duration};
use token_service::TokenServiceBuilder;
use tokio::task::JoinHandle;

/// A service behind a gate, whose user alice has an identity.
struct Gated {
    world: World,
    gate: Gate,
    alice: String,
}

async fn gated(set_up: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder) -> Gated {
    let outer = World::start().await;
    let gate = Gate::before(&outer.emulator).await;
    let options = Options {
        connection_string: Some(gate.connection_string()),
        ..Options::default()
    };
    let world = outer
        .replica(options, |builder| set_up(builder.requests_per_minute(NonZeroU32::MAX)))
        .await;
    let alice = world.caller("alice");
    world.post("/api/user", &alice).await.assert_status(201);
    Gated { world, gate, alice }
}

impl Gated {
    /// So many requests for a token.
    fn storm(&self, requests: usize) -> Vec<JoinHandle<Answer>> {
        let begin = |_| self.world.begin(Method::GET, "/api/token", &self.alice);
        (0..requests).map(begin).collect()
    }

    /// The next token that is issued is refused.
    fn fail_once(&self) {
        let fault = Fault::status(503).operation(Operation::IssueToken).times(1);
        self.world.emulator.inject(fault).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_requests_makes_one_call() {
    let Gated { world, gate, alice } = gated(|builder| builder).await;
    let stop = gate.stop(ISSUE);
    let requests: Vec<_> = (0..200)
        .map(|_| tokio::spawn(send(world.request(Method::GET, "/api/token").bearer_auth(&alice))))
        .collect();
    stop.arrived().await;
    stop.open();
    let mut tokens = Vec::new();
    for request in requests {
        tokens.push(request.await.unwrap().assert_status(201).text("/token"));
    }
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_eq!(stop.arrivals(), 1);
    assert_eq!(world.acs_calls("issue").await, 1);
}

#[tokio::test]
async fn a_storm_shares_a_failure() {
    let gated = gated(|builder| builder).await;
    gated.fail_once();
    let stop = gated.gate.stop(ISSUE);
    let requests = gated.storm(30);
    stop.arrived().await;
    settled().await;
    stop.open();
    for request in requests {
        request.await.unwrap().assert_error(503, "acs_unavailable");
    }
    assert_eq!(stop.arrivals(), 1);
    assert_eq!(gated.world.acs_calls("issue").await, 1);
    // Who comes later has an attempt of their own.
    let answer = gated.world.get("/api/token", &gated.alice).await;
    answer.assert_status(201);
}

#[tokio::test]
async fn a_storm_that_loses_patience_makes_one_call() {
    let gated = gated(|builder| builder.request_timeout(Duration::from_millis(50))).await;
    let stop = gated.gate.stop(ISSUE);
    for _ in 0..2 {
        for request in gated.storm(30) {
            request.await.unwrap().assert_error(503, "timeout");
        }
    }
    stop.open();
    gated.world.service.close().await;
    assert_eq!(stop.arrivals(), 1);
    assert_eq!(gated.world.acs_calls("issue").await, 1);
}

#[tokio::test]
async fn a_removal_and_a_sign_out_do_not_share_the_failure_that_they_waited_for() {
    for path in ["/api/user", "/api/token"] {
        let gated = gated(|builder| builder).await;
        gated.fail_once();
        let stop = gated.gate.stop(ISSUE);
        let issuing = gated.storm(1);
        stop.arrived().await;
        let waiting = gated.world.begin(Method::DELETE, path, &gated.alice);
        settled().await;
        assert!(!waiting.is_finished(), "{path}: it waits for its turn");
        stop.open();
        for request in issuing {
            request.await.unwrap().assert_error(503, "acs_unavailable");
        }
        waiting.await.unwrap().assert_status(204);
        let (operation, left) = if path == "/api/user" {
            ("delete", 0)
        } else {
            ("revoke", 1)
        };
        assert_eq!(gated.world.acs_calls(operation).await, 1);
        assert_eq!(gated.world.emulator.identity_count(), left);
    }
}

#[tokio::test]
async fn a_failure_is_shared_by_those_who_wait_for_the_same_scopes() {
    let gated = gated(|builder| builder).await;
    gated.fail_once();
    let stop = gated.gate.stop(ISSUE);
    let get = |path: &str| gated.world.begin(Method::GET, path, &gated.alice);
    let voip = get("/api/token?scope=voip");
    stop.arrived().await;
    let chat = get("/api/token?scope=chat");
    settled().await;
    stop.open();
    voip.await.unwrap().assert_error(503, "acs_unavailable");
    chat.await.unwrap().assert_status(201);
    assert_eq!(stop.arrivals(), 2);
}

#[tokio::test]
async fn first_requests_share_a_failure() {
    let Gated { world, gate, .. } = gated(|builder| builder).await;
    let fault = Fault::status(503).operation(Operation::CreateIdentity).times(1);
    world.emulator.inject(fault).unwrap();
    let stop = gate.stop(CREATE);
    let bob = world.caller("bob");
    let requests: Vec<_> = (0..30).map(|_| world.begin(Method::POST, "/api/user", &bob)).collect();
    stop.arrived().await;
    settled().await;
    stop.open();
    for request in requests {
        request.await.unwrap().assert_error(503, "acs_unavailable");
    }
    assert_eq!(stop.arrivals(), 1);
    world.post("/api/user", &bob).await.assert_status(201);
}
