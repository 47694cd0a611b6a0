//! What callers are told when Azure Communication Services does not do what it is asked for.

use crate::setup::{Setup, http};
use acs_identity_emulator::{Fault, Operation};
use reqwest::{Method, Response};
use serde_json::Value;
use std::time::Duration;
use tokio::task::JoinSet;

/// Checks the status, the reason and the time to wait.
async fn assert_failure(response: Response, status: u16, reason: &str, retry_after: &str) {
    let found = response.status();
    let wait = response.headers().get("retry-after").cloned();
    let body: Value = response.json().await.unwrap();
    assert_eq!(found, status, "{body}");
    assert_eq!(body["reason"], reason, "{body}");
    assert_eq!(wait.unwrap(), retry_after, "{body}");
}

#[tokio::test]
async fn what_azure_says_reaches_the_caller_within_the_time_of_a_request() {
    let setup = Setup::new().await;
    let limits = "[limits]\nrequest_seconds = 12";
    let process = setup.start(&setup.configuration("", limits)).await;
    let alice = setup.token("alice");
    let ask = |method: Method, path| http().request(method, process.url(path)).bearer_auth(&alice).send();
    let seconds = Duration::from_secs;
    // Which waits are too long is told at once; a failure without one is tried again.
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
        let answer = ask(Method::POST, "api/user").await.unwrap();
        assert_failure(answer, status, reason, retry_after).await;
        let tries = setup.emulator.faults()[0].hits;
        assert_eq!(tries == 1, is_final, "{reason} {retry_after}: {tries}");
        setup.emulator.remove_fault(id);
    }
    // Nothing has stayed behind.
    assert_eq!(ask(Method::POST, "api/user").await.unwrap().status(), 201);
    let silence = Fault::latency(Duration::from_mins(10)).operation(Operation::IssueToken);
    setup.emulator.inject(silence).unwrap();
    let answer = ask(Method::GET, "api/token").await.unwrap();
    assert_failure(answer, 503, "acs_unavailable", "5").await;
}

/// Azure's limit for revocations is 500 in 30 seconds.
#[tokio::test]
async fn what_there_is_no_place_for_in_the_queue_is_told_to_come_again() {
    const USERS: usize = 8;
    // What has a place waits for 10 seconds, and is told the same.
    const SHORTER_THAN_THE_QUEUE: Duration = Duration::from_secs(8);
    let setup = Setup::new().await;
    let acs = setup.configuration("", "[limits]\nrequests_per_minute = 1000000");
    let process = setup.start(&acs.replace("[issuer]", "queue = 0\n[issuer]")).await;
    let client = http();
    let users: Vec<_> = (0..USERS).map(|user| setup.token(&user.to_string())).collect();
    for user in &users {
        let created = client.post(process.url("api/user")).bearer_auth(user).send().await;
        assert_eq!(created.unwrap().status(), 201);
    }
    let mut revoked = 0;
    let busy = 'busy: loop {
        let mut answers = JoinSet::new();
        for user in &users {
            let revoke = client.delete(process.url("api/token")).bearer_auth(user);
            answers.spawn(revoke.timeout(SHORTER_THAN_THE_QUEUE).send());
        }
        for answer in answers.join_all().await {
            let answer = answer.unwrap();
            if answer.status() != 204 {
                break 'busy answer;
            }
            revoked += 1;
        }
        assert!(revoked < 100_000);
    };
    assert_failure(busy, 429, "service_busy", "30").await;
    assert!(revoked > 500 - USERS, "{revoked}");
}
