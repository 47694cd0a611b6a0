//! Clocks that differ by ten minutes, of which a signature may be five off.

use crate::{
    bounded,
    fault::Row,
    recorder::{Recorder, client},
    redaction::assert_fit_to_show,
    reply::{End, Reply, documented, half, response},
    request::{RawRequest, documented_output},
    rule::{
        Failure, Kind, Outcome,
        Rule::{Busy, Interrupted, Refused, Transient},
    },
    support::{
        emulator::{self, start, subject},
        fixtures::KEY,
        http_client::{http_client, trusting},
        operation::{Operation, Subject},
        raw_server::RawServer,
    },
};
use acs_identity_emulator::Fault;
use azure_communication_identity::{CommunicationError, CommunicationIdentityClient};
use azure_core::time::{Duration, OffsetDateTime, parse_rfc7231, to_rfc7231};
use futures::future::join_all;
use std::{
    iter,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

/// The time that the service's clock is ahead.
pub(crate) const OFFSETS: [Duration; 2] = [Duration::minutes(10), Duration::minutes(-10)];

#[tokio::test]
async fn a_wrong_clock_costs_one_request_and_no_call() {
    for offset in OFFSETS {
        for operation in Operation::ALL {
            let emulator = start().await;
            let http_client = trusting(&[emulator.ca_pem()]);
            emulator.set_clock_offset(offset);
            let subject = subject(&emulator, &emulator::client(&emulator)).await;
            let recorder = Recorder::new(&http_client);
            let client = client(emulator.endpoint(), &emulator.access_key(), recorder.options());
            bounded(operation.call(&client, &subject)).await.unwrap();
            assert_eq!(recorder.sent(), 2, "{operation:?}");
            bounded(client.create_user(None)).await.unwrap();
            assert_eq!(recorder.sent(), 3, "{operation:?}");
        }
    }
}

#[tokio::test]
async fn an_uncorrected_clock_is_named() {
    let emulator = start().await;
    let http_client = trusting(&[emulator.ca_pem()]);
    let subject = subject(&emulator, &emulator::client(&emulator)).await;
    for offset in OFFSETS {
        emulator.set_clock_offset(offset);
        for operation in Operation::ALL {
            let recorder = Recorder::new(&http_client);
            let mut options = recorder.options();
            options.correct_clock_skew = false;
            let client = client(emulator.endpoint(), &emulator.access_key(), options);
            let error = bounded(operation.call(&client, &subject)).await.unwrap_err();
            let expected = Failure {
                kind: Kind::HttpResponse(401),
                outcome_unknown: false,
            };
            assert_eq!((Failure::of(&error), recorder.sent()), (expected, 1), "{error}");
            let found = CommunicationError::from_error(&error).unwrap();
            assert_eq!(found.code.as_deref(), Some("Denied"));
            let direction = if offset.is_positive() { "behind" } else { "ahead of" };
            for part in [
                "greater than the allowed margin of 5 minutes",
                "This machine's clock is ",
                &format!("{direction} the service's"),
            ] {
                assert!(error.to_string().contains(part), "{error}");
            }
            assert_fit_to_show(&error, &recorder.secrets(), "clock");
        }
    }
    assert_eq!(emulator.identity_count(), 1);
}

/// Refusals with a date that is far off, and the requests of two calls that meet one at every attempt. Only a refusal that can
/// be about the date is followed by a second request, and only once, because it does not help. A refusal that proves that the
/// signature was accepted, or that is a gateway's, says nothing about the date.
pub(crate) const FAR_OFF: [(&str, [usize; 2]); 5] = [
    (r#"{"error":{"code":"IdentityNotOwned","message":"Refused."}}"#, [1, 1]),
    (
        r#"{"error":{"code":"InvalidAccessToken","message":"Refused."}}"#,
        [1, 1],
    ),
    ("<html>401 Unauthorized</html>", [1, 1]),
    ("", [1, 1]),
    (r#"{"error":{"code":"Denied","message":"Refused."}}"#, [2, 1]),
];

#[tokio::test]
async fn a_date_is_tried_where_it_can_be_the_reason() {
    for (body, requests) in FAR_OFF {
        let server = RawServer::start(move |mut connection| async move {
            while let Some(request) = connection.read_request().await? {
                // Ten minutes after the request's own date, also after a correction.
                let request = RawRequest(request);
                let date = parse_rfc7231(request.header("x-ms-date").unwrap()).unwrap() + OFFSETS[0];
                let headers = format!("date: {}\r\nms-cv: {}\r\n", to_rfc7231(&date), connection.committed());
                connection.write(response(401, &headers, body).to_bytes()).await?;
            }
            Ok(())
        })
        .await;
        for operation in Operation::ALL {
            let recorder = Recorder::new(&http_client());
            let client = client(&server.endpoint, KEY, recorder.options());
            for (call, requests) in requests.into_iter().enumerate() {
                let before = server.requests();
                let error = bounded(operation.call(&client, &Subject::default())).await.unwrap_err();
                let found = CommunicationError::from_error(&error).unwrap();
                // The caller gets the first response.
                assert_eq!(
                    found.correlation_vector,
                    Some((before + 1).to_string()),
                    "{body}, {operation:?}, {call}"
                );
                assert_eq!(server.requests() - before, requests, "{body}, {operation:?}, {call}");
            }
        }
    }
}

/// The request with the corrected date is the second of an attempt. If its response is lost, the creation is uncertain.
#[tokio::test]
async fn a_creation_lost_after_the_correction_is_not_retried() {
    for offset in OFFSETS {
        for operation in [Operation::CreateUser, Operation::CreateUserAndToken] {
            let emulator = start().await;
            let http_client = trusting(&[emulator.ca_pem()]);
            let subject = subject(&emulator, &emulator::client(&emulator)).await;
            let before = emulator.identity_count();
            emulator.set_clock_offset(offset);
            // Every second request, which is the one with the corrected date.
            emulator.inject(Fault::reset_after_commit().share(0.5)).unwrap();
            let recorder = Recorder::new(&http_client);
            let client = client(emulator.endpoint(), &emulator.access_key(), recorder.options());
            let error = bounded(operation.call(&client, &subject)).await.unwrap_err();
            let expected = Failure {
                kind: Kind::Io,
                outcome_unknown: true,
            };
            assert_eq!((Failure::of(&error), recorder.sent()), (expected, 2), "{error}");
            assert_eq!(emulator.identity_count() - before, 1);
        }
    }
}

/// Many calls share the correction while the clock jumps.
#[tokio::test]
async fn a_jumping_clock_loses_no_call() {
    const ROUNDS: usize = 6;
    const CALLS: usize = 20;
    let emulator = start().await;
    let http_client = trusting(&[emulator.ca_pem()]);
    let client = client(
        emulator.endpoint(),
        &emulator.access_key(),
        Recorder::new(&http_client).options(),
    );
    for round in 0..ROUNDS {
        emulator.set_clock_offset(OFFSETS[round % OFFSETS.len()]);
        let calls = join_all((0..CALLS).map(|_| client.create_user(None)));
        for result in bounded(calls).await {
            result.unwrap();
        }
    }
    assert_eq!(emulator.identity_count(), ROUNDS * CALLS);
}

/// Effects on the request with the corrected date, and their rules.
pub(crate) const AFTER_CORRECTION: [Row; 7] = [
    ("reset", |_| Reply::bytes("").then(End::Reset), Interrupted),
    ("404 of a gateway", |_| response(404, "", "<html>"), Refused(404)),
    ("429", |_| response(429, "", ""), Busy(429)),
    ("502 of a gateway", |_| response(502, "", "<html>"), Transient(502)),
    ("503 of a gateway", |_| response(503, "", "<html>"), Transient(503)),
    ("no response", |_| Reply::bytes("").then(End::Silence), Interrupted),
    (
        "half of a success",
        |request| half(request, 9).then(End::Silence),
        Interrupted,
    ),
];

/// The timeout of calls whose response stalls.
const TIMEOUT: Duration = Duration::milliseconds(100);

/// A server behind a proxy, which writes a date ten minutes off into refusals. The machine's clock is right.
struct Proxied {
    server: RawServer,
    refuses: Arc<AtomicBool>,
}

impl Proxied {
    /// Starts a server that refuses the machine's date, and replies to the corrected one.
    async fn start(reply: fn(&RawRequest) -> Reply) -> Self {
        let refuses = Arc::new(AtomicBool::new(true));
        let refuses_now = refuses.clone();
        let server = RawServer::start(move |mut connection| {
            let refuses = refuses_now.clone();
            async move {
                while let Some(request) = connection.read_request().await? {
                    let request = RawRequest(request);
                    let reply = match (has_machines_date(&request), refuses.load(Ordering::SeqCst)) {
                        (true, true) => denied(OFFSETS[0]),
                        (false, true) => reply(&request),
                        (true, false) => documented(&request),
                        (false, false) => denied(Duration::ZERO),
                    };
                    match reply.send(connection).await? {
                        Some(kept) => connection = kept,
                        None => return Ok(()),
                    }
                }
                Ok(())
            }
        })
        .await;
        Self { server, refuses }
    }

    /// Asserts that the next calls carry the machine's date: each succeeds with one request.
    async fn assert_clock_unmoved(&self, client: &CommunicationIdentityClient, case: &str) {
        self.refuses.store(false, Ordering::SeqCst);
        for operation in Operation::ALL {
            let before = self.server.requests();
            let output = bounded(operation.call(client, &Subject::default())).await;
            assert_eq!(output.unwrap(), documented_output(operation), "{case}");
            assert_eq!(self.server.requests() - before, 1, "{case}, then {operation:?}");
        }
    }
}

/// Returns whether a request has the date of the machine.
fn has_machines_date(request: &RawRequest) -> bool {
    let date = parse_rfc7231(request.header("x-ms-date").unwrap()).unwrap();
    (OffsetDateTime::now_utc() - date).abs() < Duration::MINUTE
}

/// Creates the service's refusal of a signature, with a date that is off.
fn denied(offset: Duration) -> Reply {
    let date = to_rfc7231(&(OffsetDateTime::now_utc() + offset));
    let body = r#"{"error":{"code":"Denied","message":"Denied by the resource provider."}}"#;
    response(401, &format!("date: {date}\r\n"), body)
}

#[tokio::test]
async fn a_failed_correction_does_not_move_the_clock() {
    for (name, reply, rule) in AFTER_CORRECTION {
        for operation in Operation::ALL {
            let case = &format!("{name}, {operation:?}");
            let proxied = Proxied::start(reply).await;
            let recorder = Recorder::new(&http_client());
            let mut options = recorder.options();
            let stalls = matches!(reply(&RawRequest::sample()).end(), End::Silence);
            options.timeout = stalls.then_some(TIMEOUT);
            let client = client(&proxied.server.endpoint, KEY, options);
            let result = bounded(operation.call(&client, &Subject::default())).await;
            let mut expected = Outcome::documented(iter::repeat(rule), operation, false);
            if stalls {
                expected.attempts = 1;
            }
            // Each attempt sends the refused request and the corrected one.
            expected.attempts *= 2;
            assert_eq!(Outcome::of(recorder.sent(), &result), expected, "{case}: {result:?}");
            assert_fit_to_show(&result.unwrap_err(), &recorder.secrets(), case);
            proxied.assert_clock_unmoved(&client, case).await;
        }
    }
}

/// The service looks at the rest of a request once it has accepted the signature.
#[tokio::test]
async fn a_refusal_after_the_correction_moves_the_clock() {
    const REFUSAL: &str = r#"{"error":{"code":"Refused","message":"Refused."}}"#;
    let refusals: [Row; 4] = [
        ("400", |_| response(400, "", REFUSAL), Refused(400)),
        ("403", |_| response(403, "", REFUSAL), Refused(403)),
        ("404", |_| response(404, "", REFUSAL), Refused(404)),
        ("409", |_| response(409, "", REFUSAL), Refused(409)),
    ];
    for (status, reply, rule) in refusals {
        for operation in Operation::ALL {
            let proxied = Proxied::start(reply).await;
            let recorder = Recorder::new(&http_client());
            let client = client(&proxied.server.endpoint, KEY, recorder.options());
            for requests in [2, 1] {
                let before = recorder.sent();
                let result = bounded(operation.call(&client, &Subject::default())).await;
                let mut expected = Outcome::documented(iter::repeat(rule), operation, false);
                expected.attempts *= requests;
                let outcome = Outcome::of(recorder.sent() - before, &result);
                assert_eq!(outcome, expected, "{status}, {operation:?}: {result:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_dropped_correction_does_not_move_the_clock() {
    for operation in Operation::ALL {
        let proxied = Proxied::start(|_| Reply::bytes("").then(End::Silence)).await;
        let client = client(&proxied.server.endpoint, KEY, Recorder::new(&http_client()).options());
        let subject = Subject::default();
        tokio::select! {
            result = operation.call(&client, &subject) => panic!("{result:?}"),
            () = bounded(proxied.server.requests_arrived(2)) => {}
        }
        let case = &format!("dropped, {operation:?}");
        proxied.assert_clock_unmoved(&client, case).await;
    }
}

/// The service refuses the calls for one user, as with a wrong key, and a proxy writes a date that is off.
#[tokio::test]
async fn refused_calls_do_not_disturb_those_of_other_clones() {
    const CALLS: usize = 100;
    const REFUSED_USER: &str = "8:acs:refused";
    let good_requests = Arc::new(AtomicUsize::new(0));
    let count = good_requests.clone();
    let server = RawServer::start(move |mut connection| {
        let count = count.clone();
        async move {
            while let Some(request) = connection.read_request().await? {
                let request = RawRequest(request);
                let reply = if request.0.contains(REFUSED_USER) {
                    // Other calls are made while this one waits for its response.
                    for _ in 0..50 {
                        tokio::task::yield_now().await;
                    }
                    denied(OFFSETS[0])
                } else {
                    count.fetch_add(1, Ordering::SeqCst);
                    if has_machines_date(&request) {
                        documented(&request)
                    } else {
                        denied(Duration::ZERO)
                    }
                };
                connection.write(reply.to_bytes()).await?;
            }
            Ok(())
        }
    })
    .await;
    let client = client(&server.endpoint, KEY, Recorder::new(&http_client()).options());
    let refused_user = REFUSED_USER.parse().unwrap();
    let refused = async {
        for _ in 0..CALLS {
            let error = client.clone().delete_user(&refused_user, None).await.unwrap_err();
            assert_eq!(Failure::of(&error).kind, Kind::HttpResponse(401), "{error}");
        }
    };
    let good = join_all((0..4).map(|_| async {
        for _ in 0..CALLS {
            client.clone().create_user(None).await.unwrap();
        }
    }));
    bounded(futures::future::join(refused, good)).await;
    assert_eq!(good_requests.load(Ordering::SeqCst), 4 * CALLS);
    // Of the refused calls, the first tries the other date.
    assert_eq!(server.requests(), 5 * CALLS + 1);
}
