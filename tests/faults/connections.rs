//! Connections that break off, and responses that are malformed or incomplete.

use crate::{
    bounded,
    fault::{Fault, Row, faults},
    harness::{over_a_fake_transport, over_sockets, variations},
    recorder::{Recorder, client},
    reply::{End, Reply, documented, half, response},
    request::RawRequest,
    rule::{
        Failure, Kind,
        Rule::{self, Busy, Harmless, Interrupted, Permanent, Refused, Transient},
    },
    support::{
        fake_service::BUSY,
        fixtures::KEY,
        http_client::http_client,
        operation::{Operation, Subject},
        raw_server::RawServer,
    },
};
use azure_communication_identity::CommunicationError;
use azure_core::time::Duration;
use std::fmt::Write as _;

pub(crate) const BROKEN: [Row; 25] = [
    ("reset", |_| Reply::bytes("").then(End::Reset), Interrupted),
    ("closed", |_| Reply::bytes("").then(End::Close), Interrupted),
    (
        "reset in the status line",
        |_| Reply::bytes("HTTP/1.1 20").then(End::Reset),
        Interrupted,
    ),
    (
        "closed in the status line",
        |_| Reply::bytes("HTTP/1.1 20").then(End::Close),
        Interrupted,
    ),
    (
        "reset in the head",
        |_| Reply::bytes("HTTP/1.1 201 Created\r\ncontent-").then(End::Reset),
        Interrupted,
    ),
    (
        "closed in the head",
        |_| Reply::bytes("HTTP/1.1 201 Created\r\ncontent-").then(End::Close),
        Interrupted,
    ),
    (
        "reset before the body",
        |request| half(request, 20).then(End::Reset),
        Interrupted,
    ),
    (
        "closed before the body",
        |request| half(request, 20).then(End::Close),
        Interrupted,
    ),
    (
        "reset before the last byte",
        |request| half(request, 1).then(End::Reset),
        Interrupted,
    ),
    (
        "closed before the last byte",
        |request| half(request, 1).then(End::Close),
        Interrupted,
    ),
    (
        "chunks without an end",
        |request| chunked(request, "8\r\n        \r\n").then(End::Close),
        Interrupted,
    ),
    (
        "half a chunk",
        |request| chunked(request, "8\r\n    ").then(End::Close),
        Interrupted,
    ),
    (
        "half a chunk, reset",
        |request| chunked(request, "8\r\n    ").then(End::Reset),
        Interrupted,
    ),
    (
        "a chunk without a length",
        |request| chunked(request, "many\r\n"),
        Interrupted,
    ),
    (
        "a chunk longer than 64 bits can count",
        |request| chunked(request, "10000000000000000\r\n"),
        Interrupted,
    ),
    (
        "a banner of SSH",
        |_| Reply::bytes("SSH-2.0-OpenSSH_9.9\r\n").then(End::Close),
        Interrupted,
    ),
    (
        "an alert of TLS",
        |_| Reply::bytes([21, 3, 3, 0, 2, 2, 40]).then(End::Close),
        Interrupted,
    ),
    (
        "a future version",
        |_| Reply::bytes("HTTP/9.1 200 OK\r\n\r\n"),
        Interrupted,
    ),
    (
        "a status that is not a number",
        |_| Reply::bytes("HTTP/1.1 OK 200\r\n\r\n"),
        Interrupted,
    ),
    ("a header without a colon", |_| malformed("header\r\n"), Interrupted),
    ("a zero byte in a header", |_| malformed("a: \0\r\n"), Interrupted),
    ("two lengths", |_| malformed("content-length: 1\r\n"), Interrupted),
    (
        "a negative length",
        |_| Reply::bytes("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        Interrupted,
    ),
    (
        "headers without an end",
        |_| Reply::bytes("HTTP/1.1 200 OK\r\n").then(End::Repeat("a: b\r\n".repeat(1000))),
        Interrupted,
    ),
    (
        "a header without an end",
        |_| Reply::bytes("HTTP/1.1 200 OK\r\na: ").then(End::Repeat("b".repeat(10_000))),
        Interrupted,
    ),
];

/// The statuses of failures whose body breaks off. Half of the service's error is not the service's error.
const STATUSES_OF_BROKEN: [(u16, Rule); 8] = [
    (400, Refused(400)),
    (401, Refused(401)),
    (403, Refused(403)),
    (408, Transient(408)),
    (429, Busy(429)),
    (500, Transient(500)),
    (501, Permanent(501)),
    (503, Transient(503)),
];

type Breaking = (&'static str, fn(u16) -> Reply);

/// Failures with a whole head and a part of the body.
const BREAKING: [Breaking; 6] = [
    ("reset before the body", |status| {
        failure(status, usize::MAX).then(End::Reset)
    }),
    ("closed before the body", |status| {
        failure(status, usize::MAX).then(End::Close)
    }),
    ("reset before the last byte", |status| {
        failure(status, 1).then(End::Reset)
    }),
    ("closed before the last byte", |status| {
        failure(status, 1).then(End::Close)
    }),
    ("half a chunk", |status| {
        let head = format!("HTTP/1.1 {status} Status\r\n{RETRY_AFTER}transfer-encoding: chunked\r\n\r\n");
        Reply::bytes(format!("{head}40\r\n{}", &BUSY[..32])).then(End::Close)
    }),
    ("a chunk without a length", |status| {
        let head = format!("HTTP/1.1 {status} Status\r\n{RETRY_AFTER}transfer-encoding: chunked\r\n\r\n");
        Reply::bytes(format!("{head}many\r\n"))
    }),
];

/// A wait that takes no time.
const RETRY_AFTER: &str = "retry-after: 0\r\n";

/// Creates a failure with the service's error, without the last bytes of its body.
fn failure(status: u16, missing: usize) -> Reply {
    response(status, RETRY_AFTER, BUSY).without_last(missing)
}

pub(crate) fn broken_failures() -> Vec<Fault> {
    let mut faults = Vec::new();
    for (status, rule) in STATUSES_OF_BROKEN {
        for (name, reply) in BREAKING {
            faults.push(Fault::new(format!("{status}, {name}"), rule, move |_| reply(status)));
        }
    }
    faults
}

/// Responses that are unusual and whole.
pub(crate) const ODD: [Row; 10] = [
    (
        "closed after the response",
        |request| documented(request).then(End::Close),
        Harmless,
    ),
    ("closed after the response was announced to be the last", last, Harmless),
    (
        "an interim response before",
        |request| after("HTTP/1.1 103 Early Hints\r\n\r\n", request),
        Harmless,
    ),
    (
        "ten interim responses before",
        |request| after(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(10), request),
        Harmless,
    ),
    ("HTTP/1.0", old, Harmless),
    (
        "a body that ends with the connection",
        |request| without_length(request).then(End::Close),
        Harmless,
    ),
    ("one chunk for each byte", byte_by_byte, Harmless),
    (
        "a content type of HTML",
        |request| typed(request, "text/html"),
        Harmless,
    ),
    ("an invalid content type", |request| typed(request, ";;;"), Harmless),
    ("no content type", |request| typed(request, ""), Harmless),
];

/// Creates a response with a malformed header.
fn malformed(header: &str) -> Reply {
    Reply::bytes(format!("HTTP/1.1 200 Status\r\n{header}content-length: 2\r\n\r\n{{}}"))
}

fn chunked(request: &RawRequest, chunks: &str) -> Reply {
    let status = request.status_with_body();
    Reply::bytes(format!(
        "HTTP/1.1 {status} Status\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
    ))
}

fn after(interim: &str, request: &RawRequest) -> Reply {
    Reply::bytes([interim.as_bytes(), &documented(request).to_bytes()].concat())
}

fn last(request: &RawRequest) -> Reply {
    let (status, body) = request.documented();
    response(status, "connection: close\r\n", body).then(End::Close)
}

fn old(request: &RawRequest) -> Reply {
    let (status, body) = request.documented();
    Reply::bytes(format!("HTTP/1.0 {status} Status\r\n\r\n{body}")).then(End::Close)
}

fn without_length(request: &RawRequest) -> Reply {
    let (status, body) = request.documented();
    Reply::bytes(format!("HTTP/1.1 {status} Status\r\n\r\n{body}"))
}

fn byte_by_byte(request: &RawRequest) -> Reply {
    let (status, body) = request.documented();
    if body.is_empty() {
        return documented(request);
    }
    let mut chunks = String::new();
    for byte in body.chars() {
        write!(chunks, "1;a=b\r\n{byte}\r\n").unwrap();
    }
    let head = format!("HTTP/1.1 {status} Status\r\ntransfer-encoding: chunked\r\n\r\n");
    Reply::bytes(format!("{head}{chunks}0\r\ntrailer: a\r\n\r\n"))
}

fn typed(request: &RawRequest, content_type: &str) -> Reply {
    let (status, body) = request.documented();
    response(status, &format!("content-type: {content_type}\r\n"), body)
}

#[tokio::test]
async fn broken_connections_over_sockets() {
    over_sockets(&faults(&BROKEN), &variations()).await;
}

#[tokio::test]
async fn broken_failures_over_sockets() {
    over_sockets(&broken_failures(), &variations()).await;
}

#[tokio::test(start_paused = true)]
async fn broken_bodies_over_a_fake_transport() {
    over_a_fake_transport(&faults(&BROKEN), &variations()).await;
    over_a_fake_transport(&broken_failures(), &variations()).await;
}

#[tokio::test]
async fn odd_responses_over_sockets() {
    over_sockets(&faults(&ODD), &variations()).await;
}

/// The status, the headers and the part of the body that was read.
#[tokio::test]
async fn a_failure_with_half_a_body_keeps_the_rest() {
    let server = RawServer::start(|mut connection| async move {
        connection.read_request().await?;
        let head = "HTTP/1.1 429 Status\r\nretry-after: 3600\r\nms-cv: vector\r\ncontent-length: 100\r\n\r\n";
        connection.write([head, "<html>Too many"].concat()).await
    })
    .await;
    for operation in Operation::ALL {
        let client = client(&server.endpoint, KEY, Recorder::new(&http_client()).options());
        let error = bounded(operation.call(&client, &Subject::default())).await.unwrap_err();
        let found = CommunicationError::from_error(&error).unwrap();
        assert_eq!(found.retry_after, Some(Duration::HOUR));
        assert_eq!(found.correlation_vector.as_deref(), Some("vector"));
        assert_eq!(found.body_excerpt.as_deref(), Some("<html>Too many"), "{error}");
    }
    assert_eq!(server.requests(), Operation::ALL.len());
}

/// The client sees the reset before it sends the request or while it does. Which of them is a race, so both kinds are right.
#[tokio::test]
async fn a_reset_before_the_request_is_uncertain_only_if_sent() {
    let http_client = http_client();
    let server = RawServer::start(|connection| async { connection.reset() }).await;
    for operation in Operation::ALL {
        let client = client(&server.endpoint, KEY, Recorder::new(&http_client).options());
        let error = bounded(operation.call(&client, &Subject::default())).await.unwrap_err();
        let failure = Failure::of(&error);
        assert!(matches!(failure.kind, Kind::Io | Kind::Connection), "{error}");
        let sent_creation = failure.kind == Kind::Io && operation.creates_user();
        assert_eq!(failure.outcome_unknown, sent_creation, "{error}");
    }
    assert_eq!(server.requests(), 0);
}
