//! Responses that stall, and the timeout of a call.

use crate::{
    back_ends::{BackEnd as _, FakeTransport},
    bounded,
    fault::{Fault, Script},
    recorder::{Recorder, client},
    redaction::assert_fit_to_show,
    reply::{End, Reply, response},
    rule::{
        Failure, Kind, Outcome,
        Rule::{self, Busy, BusyTooLong, Interrupted, Permanent, Refused, Transient},
    },
    support::{
        emulator::{self, start, subject},
        fake_service::{BUSY, FakeService, busy, created, status},
        fixtures::{CONNECTION_STRING, KEY},
        http_client::{http_client, trusting},
        operation::{Operation, Subject},
        raw_server::RawServer,
        retries::AtOnce,
    },
};
use azure_communication_identity::{
    CommunicationError, CommunicationIdentityClient, CommunicationIdentityClientOptions, creation_outcome_unknown,
};
use azure_core::{
    http::{AsyncRawResponse, RetryOptions, StatusCode, headers::Headers},
    time::Duration,
};
use futures::future::join_all;
use std::{iter, sync::Arc};
use tokio::time::Instant;

/// The timeout of calls that get no status.
const TIMEOUT: Duration = Duration::milliseconds(100);
/// The timeout of calls that get one. Three attempts leave an eighth of it to a busy machine.
const FAILURE_TIMEOUT: Duration = Duration::seconds(2);

type Silence = (&'static str, fn() -> Reply);

/// Replies that never become a response.
pub(crate) const SILENCES: [Silence; 7] = [
    ("no byte", || Reply::bytes("").then(End::Silence)),
    ("half a status line", || Reply::bytes("HTTP/1.1 2").then(End::Silence)),
    ("half a head", || {
        Reply::bytes("HTTP/1.1 201 Created\r\na: b\r\n").then(End::Silence)
    }),
    ("no body", || {
        response(201, "", [b' '; 9]).without_last(9).then(End::Silence)
    }),
    ("half a body", || {
        response(201, "", [b' '; 9]).without_last(1).then(End::Silence)
    }),
    ("half a chunk", || {
        Reply::bytes("HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n9\r\n{").then(End::Silence)
    }),
    ("endless interim responses", || {
        Reply::bytes("").then(End::Repeat("HTTP/1.1 100 Continue\r\n\r\n".to_owned()))
    }),
];

/// Failures whose body stalls: the status, the headers, the wait that they ask for, and the rule. The service's error is not
/// whole, so a 503 is a gateway's.
pub(crate) const SILENT_FAILURES: [(u16, &str, Option<Duration>, Rule); 7] = [
    (401, "", None, Refused(401)),
    (429, "", None, Busy(429)),
    (429, "retry-after: 0\r\n", Some(Duration::ZERO), Busy(429)),
    (429, "retry-after: 3600\r\n", Some(Duration::HOUR), BusyTooLong(429)),
    (503, "", None, Transient(503)),
    (503, "retry-after: 0\r\n", Some(Duration::ZERO), Transient(503)),
    (503, "retry-after: 3600\r\n", Some(Duration::HOUR), Permanent(503)),
];

/// Creates a failure without the last byte of its body.
fn silent_failure(status: u16, headers: &str) -> Reply {
    response(status, headers, BUSY).without_last(1).then(End::Silence)
}

/// Starts a server that gives each request this reply.
async fn silent_server(reply: impl Fn() -> Reply + Clone + Send + 'static) -> RawServer {
    RawServer::start(move |mut connection| {
        let reply = reply.clone();
        async move {
            if connection.read_request().await?.is_some() {
                reply().send(connection).await?;
            }
            Ok(())
        }
    })
    .await
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_timeout() {
    for (name, reply) in SILENCES {
        let server = silent_server(reply).await;
        let http_client = http_client();
        let calls = Operation::ALL.map(|operation| {
            let recorder = Recorder::new(&http_client);
            let mut options = recorder.options();
            options.timeout = Some(TIMEOUT);
            let client = client(&server.endpoint, KEY, options);
            async move {
                let case = &format!("{name}, {operation:?}");
                let error = operation.call(&client, &Subject::default()).await.unwrap_err();
                let expected = Failure {
                    kind: Kind::Io,
                    outcome_unknown: operation.creates_user(),
                };
                assert_eq!((Failure::of(&error), recorder.sent()), (expected, 1), "{case}: {error}");
                assert!(
                    error.to_string().contains("was given up after 100ms"),
                    "{case}: {error}"
                );
                assert_fit_to_show(&error, &recorder.secrets(), case);
            }
        });
        bounded(join_all(calls)).await;
        bounded(server.all_closed()).await;
    }
}

#[tokio::test]
async fn a_silent_failure_keeps_its_status_and_wait() {
    let http_client = &http_client();
    let calls = SILENT_FAILURES
        .into_iter()
        .map(|(status, headers, wait, rule)| async move {
            let server = silent_server(move || silent_failure(status, headers)).await;
            let calls = Operation::ALL.map(|operation| {
                let recorder = Recorder::new(http_client);
                let mut options = recorder.options();
                options.timeout = Some(FAILURE_TIMEOUT);
                let client = client(&server.endpoint, KEY, options);
                async move {
                    let case = &format!("{status}, {headers}, {operation:?}");
                    let result = operation.call(&client, &Subject::default()).await;
                    let expected = Outcome::documented(iter::repeat(rule), operation, false);
                    assert_eq!(Outcome::of(recorder.sent(), &result), expected, "{case}: {result:?}");
                    let error = result.unwrap_err();
                    let found = CommunicationError::from_error(&error).unwrap();
                    assert_eq!(found.retry_after, wait, "{case}");
                    assert_fit_to_show(&error, &recorder.secrets(), case);
                }
            });
            join_all(calls).await;
            bounded(server.all_closed()).await;
        });
    bounded(join_all(calls)).await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_body_of_a_failure_takes_five_seconds_at_most() {
    for (timeout, seconds) in [
        (None, 5),
        (Some(Duration::hours(1)), 5),
        (Some(Duration::seconds(10)), 5),
        (Some(Duration::seconds(8)), 4),
    ] {
        for (status, headers, _, rule) in SILENT_FAILURES {
            let fault = Fault::new("stalled", rule, move |_| silent_failure(status, headers));
            for operation in Operation::ALL {
                let expected = Outcome::documented(iter::repeat(rule), operation, false);
                if expected.attempts > 1 {
                    continue;
                }
                let mut target = FakeTransport::new().begin(&Script::always(&fault)).await;
                target.options.timeout = timeout;
                let client = client(&target.endpoint, &target.key, target.options);
                let start = Instant::now();
                let error = operation.call(&client, &target.subject).await.unwrap_err();
                // The time that is left is measured by the machine's clock, which is not paused.
                let elapsed = start.elapsed().as_secs_f64();
                let seconds = f64::from(seconds);
                assert!(
                    (seconds - 0.5..=seconds + 0.01).contains(&elapsed),
                    "{timeout:?}, {elapsed}"
                );
                assert_eq!(
                    Some(Failure::of(&error)),
                    expected.failure,
                    "{status}, {headers}, {operation:?}"
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_takes_no_longer_than_its_timeout() {
    for (timeout, seconds) in [
        (CommunicationIdentityClientOptions::default().timeout, 120),
        (Some(Duration::seconds(7)), 7),
    ] {
        let mut stalling = 0;
        for (name, reply) in SILENCES {
            let fault = Fault::new(name, Interrupted, move |_| reply());
            if !FakeTransport::new().supports(&fault.effect) {
                continue;
            }
            stalling += 1;
            for operation in Operation::ALL {
                let mut target = FakeTransport::new().begin(&Script::always(&fault)).await;
                target.options.timeout = timeout;
                let client = client(&target.endpoint, &target.key, target.options);
                let start = Instant::now();
                let error = operation.call(&client, &target.subject).await.unwrap_err();
                assert_eq!(start.elapsed().as_secs(), seconds);
                let expected = Failure {
                    kind: Kind::Io,
                    outcome_unknown: operation.creates_user(),
                };
                assert_eq!(Failure::of(&error), expected, "{name}, {operation:?}");
                let seconds = Duration::seconds(i64::try_from(seconds).unwrap());
                let text = format!(
                    "request to contoso.communication.azure.com was given up after {seconds}, the most that the option \
                     `timeout` allows"
                );
                let text = match operation {
                    Operation::DeleteUser => format!("DELETE {text}"),
                    _ => format!("POST {text}"),
                };
                let rest = error.to_string().strip_prefix(&text).map(str::to_owned);
                match rest.as_deref() {
                    Some(rest) if operation.creates_user() => {
                        assert!(rest.contains("not known whether the service created a user"), "{error}");
                    }
                    rest => assert_eq!(rest, Some(""), "{error}"),
                }
            }
        }
        assert_eq!(stalling, 3);
    }
}

#[tokio::test]
async fn a_slow_service_is_given_up_after_the_timeout() {
    let emulator = start().await;
    let subject = subject(&emulator, &emulator::client(&emulator)).await;
    emulator.inject("latency=10min".parse().unwrap()).unwrap();
    let http_client = trusting(&[emulator.ca_pem()]);
    for operation in Operation::ALL {
        let mut options = Recorder::new(&http_client).options();
        options.timeout = Some(TIMEOUT);
        let client = client(emulator.endpoint(), &emulator.access_key(), options);
        let error = bounded(operation.call(&client, &subject)).await.unwrap_err();
        let expected = Failure {
            kind: Kind::Io,
            outcome_unknown: operation.creates_user(),
        };
        assert_eq!(Failure::of(&error), expected, "{operation:?}");
    }
    assert_eq!(emulator.identity_count(), 1);
}

/// Creates a client over a fake service.
fn fake_client(service: &Arc<FakeService>, timeout: Option<Duration>) -> CommunicationIdentityClient {
    let options = CommunicationIdentityClientOptions {
        timeout,
        client_options: service.client_options(),
        ..Default::default()
    };
    CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_timeout_between_attempts_keeps_the_last_failure() {
    let service = FakeService::new([status(StatusCode::TooManyRequests), busy()]);
    let start = Instant::now();
    let creation = fake_client(&service, Some(Duration::seconds(15)));
    let error = creation.create_user(None).await.unwrap_err();
    assert_eq!(start.elapsed().as_secs(), 15);
    assert!(
        error
            .to_string()
            .ends_with(": its last attempt failed: 503 Service Unavailable"),
        "{error}"
    );
    // Neither attempt was executed.
    assert!(!creation_outcome_unknown(&error), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_without_a_timeout_waits() {
    let service = FakeService::with(|_| {
        Box::pin(async {
            tokio::time::sleep(std::time::Duration::from_secs(30 * 60 * 60)).await;
            Ok(AsyncRawResponse::from_bytes(StatusCode::NoContent, Headers::new(), ""))
        })
    });
    let client = fake_client(&service, None);
    client.delete_user(&Subject::default().user, None).await.unwrap();
}

#[test]
fn a_call_outside_an_async_runtime_has_no_timeout() {
    let service = FakeService::new([created()]);
    let client = fake_client(&service, Some(Duration::NANOSECOND));
    futures::executor::block_on(client.create_user(None)).unwrap();
}

/// A service that is always busy, and a client without a limit of attempts.
#[tokio::test]
async fn endless_attempts_time_out() {
    for (headers, operation) in [
        ("", Operation::CreateUser),
        ("retry-after: 0\r\n", Operation::RefreshToken),
    ] {
        let server = RawServer::start(move |mut connection| async move {
            while connection.read_request().await?.is_some() {
                connection.write(response(503, headers, BUSY).to_bytes()).await?;
            }
            Ok(())
        })
        .await;
        let mut options = Recorder::new(&http_client()).options();
        options.timeout = Some(TIMEOUT);
        options.client_options.retry = RetryOptions::custom(Arc::new(AtOnce::new(usize::MAX)));
        let client = client(&server.endpoint, KEY, options);
        let error = bounded(operation.call(&client, &Subject::default())).await.unwrap_err();
        // A wait as long as the rest of the timeout ends the call with the service's response.
        let expected = if headers.is_empty() {
            &[Kind::Io][..]
        } else {
            &[Kind::Io, Kind::HttpResponse(503)]
        };
        assert!(expected.contains(&Failure::of(&error).kind), "{error}");
    }
}

#[tokio::test]
async fn a_dropped_call_leaves_no_connection_open() {
    let failure = || silent_failure(503, "");
    for (name, reply) in SILENCES
        .into_iter()
        .chain([("half a failure", failure as fn() -> Reply)])
    {
        let http_client = http_client();
        for operation in Operation::ALL {
            let server = silent_server(reply).await;
            let client = client(&server.endpoint, KEY, Recorder::new(&http_client).options());
            let subject = Subject::default();
            tokio::select! {
                result = operation.call(&client, &subject) => panic!("{name}: {result:?}"),
                () = bounded(server.requests_arrived(1)) => {}
            }
            bounded(server.all_closed()).await;
        }
    }
}
