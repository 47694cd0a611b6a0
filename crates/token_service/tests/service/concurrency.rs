//! Concurrent requests of one user.

use crate::{
    setup::{Reply, Setup, send, settled},
    support::gate::{ALL, CREATE, Gate, ISSUE},
};
use acs_identity_emulator::{Fault, Operation};
use reqwest::Method;
use std::{num::NonZeroU32, time::Duration};
use token_service::TokenServiceBuilder;
use tokio::task::JoinHandle;

/// A service behind a gate, whose user alice has an identity.
struct Gated {
    setup: Setup,
    gate: Gate,
    alice: String,
}

async fn gated(configure: impl FnOnce(TokenServiceBuilder) -> TokenServiceBuilder) -> Gated {
    let configure = |builder: TokenServiceBuilder| configure(builder.requests_per_minute(NonZeroU32::MAX));
    let (setup, gate) = Setup::gated(configure).await;
    let alice = setup.caller("alice");
    setup.post("/api/user", &alice).await.assert_status(201);
    Gated { setup, gate, alice }
}

impl Gated {
    /// Starts requests for a token.
    fn concurrent_requests(&self, requests: usize) -> Vec<JoinHandle<Reply>> {
        let begin = |_| self.setup.begin(Method::GET, "/api/token", &self.alice);
        (0..requests).map(begin).collect()
    }

    /// Lets the next issue of a token fail.
    fn fail_once(&self) {
        let fault = Fault::status(503).operation(Operation::IssueToken).times(1);
        self.setup.emulator.inject(fault).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_requests_share_one_call() {
    let Gated { setup, gate, alice } = gated(|builder| builder).await;
    let stop = gate.stop(ISSUE);
    let requests: Vec<_> = (0..200)
        .map(|_| tokio::spawn(send(setup.request(Method::GET, "/api/token").bearer_auth(&alice))))
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
    assert_eq!(setup.acs_calls("issue").await, 1);
}

#[tokio::test]
async fn concurrent_requests_share_a_failure() {
    let gated = gated(|builder| builder).await;
    gated.fail_once();
    let stop = gated.gate.stop(ISSUE);
    let requests = gated.concurrent_requests(30);
    stop.arrived().await;
    settled().await;
    stop.open();
    for request in requests {
        request.await.unwrap().assert_error(503, "acs_unavailable");
    }
    assert_eq!(stop.arrivals(), 1);
    assert_eq!(gated.setup.acs_calls("issue").await, 1);
    // A later request makes another call.
    let reply = gated.setup.get("/api/token", &gated.alice).await;
    reply.assert_status(201);
}

#[tokio::test]
async fn timed_out_requests_share_one_call() {
    let gated = gated(|builder| builder.request_timeout(Duration::from_millis(500))).await;
    let stop = gated.gate.stop(ISSUE);
    for _ in 0..2 {
        for request in gated.concurrent_requests(30) {
            request.await.unwrap().assert_error(503, "timeout");
        }
    }
    stop.open();
    gated.setup.service.close().await;
    assert_eq!(stop.arrivals(), 1);
    assert_eq!(gated.setup.acs_calls("issue").await, 1);
}

#[tokio::test]
async fn deletion_and_revocation_do_not_share_a_failure() {
    for path in ["/api/user", "/api/token"] {
        let gated = gated(|builder| builder).await;
        gated.fail_once();
        let stop = gated.gate.stop(ISSUE);
        let issuing = gated.concurrent_requests(1);
        stop.arrived().await;
        let waiting = gated.setup.begin(Method::DELETE, path, &gated.alice);
        settled().await;
        assert!(!waiting.is_finished(), "{path}: it waits for the lock");
        stop.open();
        for request in issuing {
            request.await.unwrap().assert_error(503, "acs_unavailable");
        }
        waiting.await.unwrap().assert_status(204);
        let (operation, remaining) = if path == "/api/user" {
            ("delete", 0)
        } else {
            ("revoke", 1)
        };
        assert_eq!(gated.setup.acs_calls(operation).await, 1);
        assert_eq!(gated.setup.emulator.identity_count(), remaining);
    }
}

/// Begins requests, of which the first stops at the gate and the others wait. Returns all responses and the number of calls.
async fn removals(gated: &Gated, path: &str) -> (Vec<Reply>, usize) {
    let stop = gated.gate.stop(ALL);
    let begin = |_| gated.setup.begin(Method::DELETE, path, &gated.alice);
    let mut requests = vec![begin(0)];
    stop.arrived().await;
    requests.extend((1..30).map(begin));
    settled().await;
    stop.open();
    let mut replies = Vec::new();
    for request in requests {
        replies.push(request.await.unwrap());
    }
    gated.setup.service.close().await;
    (replies, stop.arrivals())
}

#[tokio::test]
async fn concurrent_removals_share_a_failure() {
    for (path, operation) in [
        ("/api/user", Operation::DeleteIdentity),
        ("/api/token", Operation::RevokeTokens),
    ] {
        let gated = gated(|builder| builder.acs_costs_per_hour(NonZeroU32::MAX)).await;
        let fault = Fault::status(503).operation(operation);
        gated.setup.emulator.inject(fault).unwrap();
        let (replies, calls) = removals(&gated, path).await;
        for reply in replies {
            reply.assert_error(503, "acs_unavailable");
        }
        assert_eq!(calls, 1, "{path}");
    }
}

/// A token that is issued during a revocation must be revoked by the next one, which is one call for all that wait.
#[tokio::test]
async fn revocations_that_wait_share_one_call() {
    let gated = gated(|builder| builder.acs_costs_per_hour(NonZeroU32::MAX)).await;
    let (replies, calls) = removals(&gated, "/api/token").await;
    for reply in replies {
        reply.assert_status(204);
    }
    assert_eq!(calls, 2);
}

#[tokio::test]
async fn failure_is_shared_for_the_same_scopes_only() {
    let gated = gated(|builder| builder).await;
    gated.fail_once();
    let stop = gated.gate.stop(ISSUE);
    let get = |path: &str| gated.setup.begin(Method::GET, path, &gated.alice);
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
async fn concurrent_creations_share_a_failure() {
    let Gated { setup, gate, .. } = gated(|builder| builder).await;
    let fault = Fault::status(503).operation(Operation::CreateIdentity).times(1);
    setup.emulator.inject(fault).unwrap();
    let stop = gate.stop(CREATE);
    let bob = setup.caller("bob");
    let requests: Vec<_> = (0..30).map(|_| setup.begin(Method::POST, "/api/user", &bob)).collect();
    stop.arrived().await;
    settled().await;
    stop.open();
    for request in requests {
        request.await.unwrap().assert_error(503, "acs_unavailable");
    }
    assert_eq!(stop.arrivals(), 1);
    setup.post("/api/user", &bob).await.assert_status(201);
}
