//! Waits that a response asks for by `Retry-After`.

use crate::{
    back_ends::{BackEnd as _, FakeTransport},
    bounded,
    fault::{Fault, Script},
    harness::{over_a_fake_transport, over_sockets, variations},
    recorder::{Recorder, client},
    reply::response,
    rule::{
        Failure, Kind,
        Rule::{self, Busy, BusyTooLong, Permanent, Transient},
    },
    support::{
        fake_service::BUSY,
        fixtures::KEY,
        http_client::http_client,
        operation::{Operation, Output, Subject},
        raw_server::RawServer,
    },
};
use azure_communication_identity::{CommunicationError, CommunicationIdentityClientOptions};
use azure_core::{Result, time::Duration};
use tokio::time::Instant;

/// The default of `max_retry_after`.
const LIMIT: Duration = Duration::MINUTE;

/// Headers, and the wait that they ask for; `None` for no wait.
const WAITS: [(&str, Option<Duration>); 24] = [
    ("retry-after: 0\r\n", Some(Duration::ZERO)),
    ("retry-after: -5\r\n", Some(Duration::ZERO)),
    ("retry-after: -9223372036854775808\r\n", Some(Duration::ZERO)),
    ("retry-after: Thu, 01 Jan 1970 00:00:00 GMT\r\n", Some(Duration::ZERO)),
    ("retry-after: soon\r\n", None),
    ("retry-after: \r\n", None),
    ("retry-after: 99999999999999999999\r\n", None),
    ("retry-after-ms: 0\r\n", Some(Duration::ZERO)),
    ("retry-after: 30\r\n", Some(Duration::seconds(30))),
    ("retry-after-ms: 30500\r\n", Some(Duration::milliseconds(30_500))),
    ("x-ms-retry-after-ms: 30500\r\n", Some(Duration::milliseconds(30_500))),
    ("retry-after: 61\r\n", Some(Duration::seconds(61))),
    ("retry-after-ms: 60001\r\n", Some(Duration::milliseconds(60_001))),
    ("x-ms-retry-after-ms: 60001\r\n", Some(Duration::milliseconds(60_001))),
    // Longer than `max_retry_after`, and shorter than `timeout`.
    ("retry-after: 90\r\n", Some(Duration::seconds(90))),
    ("retry-after: 7200\r\n", Some(Duration::hours(2))),
    (
        "retry-after: 9223372036854775807\r\n",
        Some(Duration::seconds(i64::MAX)),
    ),
    ("retry-after-ms: 3600000\r\n", Some(Duration::HOUR)),
    ("x-ms-retry-after-ms: 3600000\r\n", Some(Duration::HOUR)),
    (
        "x-ms-retry-after-ms: 3600000\r\nretry-after: 0\r\n",
        Some(Duration::HOUR),
    ),
    // Dates, by a clock that is years off.
    (
        "date: Mon, 01 Feb 2038 00:00:00 GMT\r\nretry-after: Mon, 01 Feb 2038 01:00:00 GMT\r\n",
        Some(Duration::HOUR),
    ),
    (
        "date: Mon, 01 Feb 2038 00:00:00 GMT\r\nretry-after: Mon, 01 Feb 2038 00:00:30 GMT\r\n",
        Some(Duration::seconds(30)),
    ),
    (
        "date: Mon, 01 Feb 2038 00:00:00 GMT\r\nretry-after: Mon, 01 Feb 2038 00:00:00 GMT\r\n",
        Some(Duration::ZERO),
    ),
    (
        "date: Mon, 01 Feb 2038 00:00:00 GMT\r\nretry-after: Sun, 31 Jan 2038 23:50:00 GMT\r\n",
        Some(Duration::ZERO),
    ),
];

/// Statuses with bodies, their rules, and their rules with a wait beyond the limit. azure_core waits after a 429 and a 503
/// only; after the others the wait is in the error, and delays no retry.
const STATUSES: [(u16, &str, Rule, Rule); 7] = [
    (429, "", Busy(429), BusyTooLong(429)),
    (503, BUSY, Busy(503), BusyTooLong(503)),
    (503, "", Transient(503), Permanent(503)),
    (408, "", Transient(408), Transient(408)),
    (500, "", Transient(500), Transient(500)),
    (502, "", Transient(502), Transient(502)),
    (504, "", Transient(504), Transient(504)),
];

/// Returns the statuses, each with every wait.
pub(crate) fn waits() -> Vec<Fault> {
    faults(&STATUSES, |_| true)
}

fn faults(statuses: &[(u16, &'static str, Rule, Rule)], is_included: fn(Option<Duration>) -> bool) -> Vec<Fault> {
    let mut faults = Vec::new();
    for &(status, body, rule, rule_beyond_limit) in statuses {
        for (headers, wait) in WAITS.into_iter().filter(|&(_, wait)| is_included(wait)) {
            let rule = if wait > Some(LIMIT) { rule_beyond_limit } else { rule };
            faults.push(Fault::new(format!("{status} with {headers}"), rule, move |_| {
                response(status, headers, body)
            }));
        }
    }
    faults
}

/// Returns whether a wait takes no time with the default limit: there is none, or it ends the call.
fn takes_no_time(wait: Option<Duration>) -> bool {
    wait.is_none_or(|wait| wait.is_zero() || wait > LIMIT)
}

#[tokio::test]
async fn waits_over_sockets() {
    over_sockets(&faults(&STATUSES, takes_no_time), &variations()).await;
}

#[tokio::test(start_paused = true)]
async fn waits_over_a_fake_transport() {
    over_a_fake_transport(&waits(), &variations()).await;
}

/// Calls an operation whose first attempt meets a fault, and returns the time that it takes.
async fn timed(
    fault: &Fault,
    operation: Operation,
    change: impl FnOnce(&mut CommunicationIdentityClientOptions),
) -> (Duration, Result<Output>) {
    let mut target = FakeTransport::new().begin(&Script::once(fault)).await;
    change(&mut target.options);
    let client = client(&target.endpoint, &target.key, target.options);
    let start = Instant::now();
    let result = operation.call(&client, &target.subject).await;
    (start.elapsed().try_into().unwrap(), result)
}

#[tokio::test(start_paused = true)]
async fn a_wait_is_kept_to_the_end_or_ends_the_call_at_once() {
    for (headers, wait) in WAITS {
        let Some(wait) = wait.filter(|wait| wait.is_positive() && *wait < Duration::DAY) else {
            continue;
        };
        for (status, body, ..) in STATUSES.into_iter().take(2) {
            let fault = Fault::new(headers, Busy(status), move |_| response(status, headers, body));
            for operation in Operation::ALL {
                let case = &format!("{status}, {headers}, {operation:?}");
                let (elapsed, result) = timed(&fault, operation, |options| {
                    options.max_retry_after = wait;
                    options.timeout = Some(wait + Duration::MINUTE);
                })
                .await;
                result.unwrap();
                // tokio rounds up to a millisecond.
                assert!(
                    (wait..wait + Duration::milliseconds(5)).contains(&elapsed),
                    "{case}: {elapsed}"
                );

                let limits: [fn(&mut CommunicationIdentityClientOptions, Duration); 2] = [
                    |options, wait| options.max_retry_after = wait - Duration::MILLISECOND,
                    |options, wait| {
                        options.max_retry_after = Duration::MAX;
                        options.timeout = Some(wait);
                    },
                ];
                for limit in limits {
                    let (elapsed, result) = timed(&fault, operation, |options| limit(options, wait)).await;
                    let error = result.unwrap_err();
                    let expected = Failure {
                        kind: Kind::HttpResponse(status),
                        outcome_unknown: false,
                    };
                    assert_eq!(
                        (Failure::of(&error), elapsed),
                        (expected, Duration::ZERO),
                        "{case}: {error}"
                    );
                    let found = CommunicationError::from_error(&error).unwrap();
                    assert_eq!(found.retry_after, Some(wait), "{case}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_wait_is_in_the_error() {
    for (status, body, ..) in STATUSES {
        let http_client = http_client();
        for (headers, wait) in WAITS.into_iter().filter(|&(_, wait)| takes_no_time(wait)) {
            let server = RawServer::start(move |mut connection| async move {
                while connection.read_request().await?.is_some() {
                    connection.write(response(status, headers, body).to_bytes()).await?;
                }
                Ok(())
            })
            .await;
            for operation in Operation::ALL {
                let client = client(&server.endpoint, KEY, Recorder::new(&http_client).options());
                let error = bounded(operation.call(&client, &Subject::default())).await.unwrap_err();
                let found = CommunicationError::from_error(&error).unwrap().retry_after;
                assert_eq!(found, wait, "{status}, {headers}, {operation:?}");
            }
        }
    }
}
