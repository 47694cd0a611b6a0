//! Failures of Azure Communication Services, as callers see them.

use crate::{setup::Setup, support::http};
use acs_identity_emulator::{Fault, Operation};
use reqwest::{Method, Response};
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinSet;

/// Asserts the status, the reason and `Retry-After`.
async fn assert_failure(response: Response, status: u16, reason: &str, retry_after: &str) {
    let found = response.status();
    let wait = response.headers().get("retry-after").cloned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(found, status, "{body}");
    assert_eq!(body["reason"], reason, "{body}");
    assert_eq!(wait.unwrap(), retry_after, "{body}");
}

#[tokio::test]
async fn failure_reaches_the_caller_before_the_timeout() {
    let setup = Setup::new().await;
    let limits = "[limits]\nrequest_seconds = 12";
    let process = setup.start(&setup.configuration("", limits)).await;
    let alice = setup.token("alice");
    let ask = |method: Method, path| http().request(method, process.url(path)).bearer_auth(&alice).send();
    let seconds = Duration::from_secs;
    // A long `Retry-After` is passed on at once. A failure without one is retried.
    for (fault, status, reason, retry_after, is_final) in [
        (Fault::status(503), 503, "acs_unavailable", "5", false),
        (
            Fault::status(503).retry_after(seconds(30)),
            503,
            "acs_unavailable",
            "30",
            true,
        ),
        (
            Fault::status(429).retry_after(seconds(30)),
            429,
            "service_busy",
            "30",
            true,
        ),
        (
            Fault::status(429).retry_after(seconds(7)),
            429,
            "service_busy",
            "7",
            true,
        ),
    ] {
        let id = setup.emulator.inject(fault).unwrap();
        let reply = ask(Method::POST, "api/user").await.unwrap();
        assert_failure(reply, status, reason, retry_after).await;
        let attempts = setup.emulator.faults()[0].hits;
        assert_eq!(attempts == 1, is_final, "{reason} {retry_after}: {attempts}");
        setup.emulator.remove_fault(id);
    }
    // The failures have no further effect.
    assert_eq!(ask(Method::POST, "api/user").await.unwrap().status(), 201);
    let silence = Fault::latency(Duration::from_mins(10)).operation(Operation::IssueToken);
    setup.emulator.inject(silence).unwrap();
    let reply = ask(Method::GET, "api/token").await.unwrap();
    assert_failure(reply, 503, "acs_unavailable", "5").await;
}

/// Azure's limit for revocations is 500 in 30 seconds.
#[tokio::test]
async fn full_queue_gets_retry_after() {
    const USERS: usize = 8;
    // A request in the queue waits for 10 seconds, and gets the same response.
    const SHORTER_THAN_THE_QUEUE: Duration = Duration::from_secs(8);
    let setup = Setup::new().await;
    let acs = setup.configuration(
        "",
        "[limits]\nrequests_per_minute = 1000000\nacs_costs_per_hour = 1000000",
    );
    let process = setup.start(&acs.replace("[issuer]", "queue = 0\n[issuer]")).await;
    let client = http();
    let users: Vec<_> = (0..USERS).map(|user| setup.token(&user.to_string())).collect();
    for user in &users {
        let created = client.post(process.url("api/user")).bearer_auth(user).send().await;
        assert_eq!(created.unwrap().status(), 201);
    }
    let mut revoked = 0;
    let busy = 'busy: loop {
        let mut replies = JoinSet::new();
        for user in &users {
            let revoke = client.delete(process.url("api/token")).bearer_auth(user);
            replies.spawn(revoke.timeout(SHORTER_THAN_THE_QUEUE).send());
        }
        for reply in replies.join_all().await {
            let reply = reply.unwrap();
            if reply.status() != 204 {
                break 'busy reply;
            }
            revoked += 1;
        }
        assert!(revoked < 100_000);
    };
    assert_failure(busy, 429, "service_busy", "30").await;
    assert!(revoked > 500 - USERS, "{revoked}");
}
