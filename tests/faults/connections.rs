//! Connections that break off, and answers that are not HTTP, or only half of it.

use crate::{
    answers::SERVICE_ERROR,
    asked::{Asked, KEY, subject},
    bounded,
    matrix::{self, Fault, Row, rows, variations},
    reply::{End, Reply, answer, documented, success},
    rule::{
        Failure, Kind,
        Rule::{self, Failed, FailedForGood, Harmless, Interrupted, Refused, TurnedAway},
    },
    support::http_client::http_client,
    support::operation::Operation,
    support::raw_server::RawServer,
    wiretap::{Wiretap, client},
};
use azure_communication_identity::CommunicationError;
use std::{fmt::Write as _, sync::Arc};

pub(crate) const BROKEN: [Fault; 25] = [
    ("reset", |_| Reply::new("").then(End::Reset), Interrupted),
    ("closed", |_| Reply::new("").then(End::Close), Interrupted),
    (
        "reset in the status line",
        |_| Reply::new("HTTP/1.1 20").then(End::Reset),
        Interrupted,
    ),
    (
        "closed in the status line",
        |_| Reply::new("HTTP/1.1 20").then(End::Close),
        Interrupted,
    ),
    (
        "reset in the head",
        |_| Reply::new("HTTP/1.1 201 Created\r\ncontent-").then(End::Reset),
        Interrupted,
    ),
    (
        "closed in the head",
        |_| Reply::new("HTTP/1.1 201 Created\r\ncontent-").then(End::Close),
        Interrupted,
    ),
    (
        "reset before the body",
        |asked| half(asked, 20).then(End::Reset),
        Interrupted,
    ),
    (
        "closed before the body",
        |asked| half(asked, 20).then(End::Close),
        Interrupted,
    ),
    (
        "reset before the last byte",
        |asked| half(asked, 1).then(End::Reset),
        Interrupted,
    ),
    (
        "closed before the last byte",
        |asked| half(asked, 1).then(End::Close),
        Interrupted,
    ),
    (
        "chunks without an end",
        |asked| chunked(asked, "8\r\n        \r\n").then(End::Close),
        Interrupted,
    ),
    (
        "half a chunk",
        |asked| chunked(asked, "8\r\n    ").then(End::Close),
        Interrupted,
    ),
    (
        "half a chunk, reset",
        |asked| chunked(asked, "8\r\n    ").then(End::Reset),
        Interrupted,
    ),
    ("a chunk of no length", |asked| chunked(asked, "many\r\n"), Interrupted),
    (
        "a chunk longer than can be counted",
        |asked| chunked(asked, "10000000000000000\r\n"),
        Interrupted,
    ),
    (
        "a banner of SSH",
        |_| Reply::new("SSH-2.0-OpenSSH_9.9\r\n").then(End::Close),
        Interrupted,
    ),
    (
        "an alert of TLS",
        |_| Reply::new([21, 3, 3, 0, 2, 2, 40]).then(End::Close),
        Interrupted,
    ),
    (
        "a version to come",
        |_| Reply::new("HTTP/9.1 200 OK\r\n\r\n"),
        Interrupted,
    ),
    (
        "a status that is no number",
        |_| Reply::new("HTTP/1.1 OK 200\r\n\r\n"),
        Interrupted,
    ),
    (
        "a header without a colon",
        |_| answer(200, "header\r\n", "{}"),
        Interrupted,
    ),
    (
        "a zero byte in a header",
        |_| answer(200, "a: \0\r\n", "{}"),
        Interrupted,
    ),
    (
        "two lengths",
        |_| answer(200, "content-length: 1\r\n", "{}"),
        Interrupted,
    ),
    (
        "a negative length",
        |_| Reply::new("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"),
        Interrupted,
    ),
    (
        "headers without an end",
        |_| Reply::new("HTTP/1.1 200 OK\r\n").then(End::Repeat("a: b\r\n".repeat(1000))),
        Interrupted,
    ),
    (
        "a header without an end",
        |_| Reply::new("HTTP/1.1 200 OK\r\na: ").then(End::Repeat("b".repeat(10_000))),
        Interrupted,
    ),
];

/// The statuses of failures whose body breaks off, and the rules for them. Half of the service's error is no error of the
/// service.
pub(crate) const STATUSES_OF_BROKEN: [(u16, Rule); 8] = [
    (400, Refused(400)),
    (401, Refused(401)),
    (403, Refused(403)),
    (408, Failed(408)),
    (429, TurnedAway(429)),
    (500, Failed(500)),
    (501, FailedForGood(501)),
    (503, Failed(503)),
];

type Breaking = (&'static str, fn(u16) -> Reply);

/// Ways in which the body of a failure breaks off. The head is whole.
pub(crate) const BREAKING: [Breaking; 6] = [
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
        Reply::new(format!("{head}40\r\n{}", &SERVICE_ERROR[..32])).then(End::Close)
    }),
    ("a chunk of no length", |status| {
        let head = format!("HTTP/1.1 {status} Status\r\n{RETRY_AFTER}transfer-encoding: chunked\r\n\r\n");
        Reply::new(format!("{head}many\r\n"))
    }),
];

/// A wait that ends no call, so that a retry needs no time.
const RETRY_AFTER: &str = "retry-after: 0\r\n";

/// A failure with the service's error, without the last bytes of its body.
fn failure(status: u16, missing: usize) -> Reply {
    answer(status, RETRY_AFTER, SERVICE_ERROR).without_last(missing.min(SERVICE_ERROR.len()))
}

pub(crate) fn broken_failures() -> Vec<Row> {
    let mut rows = Vec::new();
    for (status, rule) in STATUSES_OF_BROKEN {
        for (name, reply) in BREAKING {
            rows.push(Row {
                name: format!("{status}, {name}"),
                reply: Arc::new(move |_| reply(status)),
                rule,
            });
        }
    }
    rows
}

/// Answers that look odd and are whole.
pub(crate) const ODD: [Fault; 10] = [
    (
        "closed after the answer",
        |asked| documented(asked).then(End::Close),
        Harmless,
    ),
    ("reset after the answer was announced to be the last", last, Harmless),
    (
        "an interim answer before",
        |asked| after("HTTP/1.1 103 Early Hints\r\n\r\n", asked),
        Harmless,
    ),
    (
        "ten interim answers before",
        |asked| after(&"HTTP/1.1 100 Continue\r\n\r\n".repeat(10), asked),
        Harmless,
    ),
    ("HTTP/1.0", old, Harmless),
    (
        "a body that ends with the connection",
        |asked| without_length(asked).then(End::Close),
        Harmless,
    ),
    ("one chunk for each byte", byte_by_byte, Harmless),
    ("a content type of HTML", |asked| typed(asked, "text/html"), Harmless),
    ("a content type that is none", |asked| typed(asked, ";;;"), Harmless),
    ("no content type", |asked| typed(asked, ""), Harmless),
];

/// A success whose last bytes do not come.
fn half(asked: &Asked, missing: usize) -> Reply {
    success(asked, "", [b' '; 20]).without_last(missing)
}

fn chunked(asked: &Asked, chunks: &str) -> Reply {
    let status = asked.status_with_body();
    Reply::new(format!(
        "HTTP/1.1 {status} Status\r\ntransfer-encoding: chunked\r\n\r\n{chunks}"
    ))
}

fn after(interim: &str, asked: &Asked) -> Reply {
    Reply::new([interim.as_bytes(), &documented(asked).bytes].concat())
}

fn last(asked: &Asked) -> Reply {
    let (status, body) = asked.documented();
    answer(status, "connection: close\r\n", body).then(End::Close)
}

fn old(asked: &Asked) -> Reply {
    let (status, body) = asked.documented();
    Reply::new(format!("HTTP/1.0 {status} Status\r\n\r\n{body}")).then(End::Close)
}

fn without_length(asked: &Asked) -> Reply {
    let (status, body) = asked.documented();
    Reply::new(format!("HTTP/1.1 {status} Status\r\n\r\n{body}"))
}

fn byte_by_byte(asked: &Asked) -> Reply {
    let (status, body) = asked.documented();
    if body.is_empty() {
        return documented(asked);
    }
    let mut chunks = String::new();
    for byte in body.chars() {
        write!(chunks, "1;a=b\r\n{byte}\r\n").unwrap();
    }
    let head = format!("HTTP/1.1 {status} Status\r\ntransfer-encoding: chunked\r\n\r\n");
    Reply::new(format!("{head}{chunks}0\r\ntrailer: a\r\n\r\n"))
}

fn typed(asked: &Asked, content_type: &str) -> Reply {
    let (status, body) = asked.documented();
    answer(status, &format!("content-type: {content_type}\r\n"), body)
}

#[tokio::test]
async fn a_connection_that_breaks_off_loses_nothing() {
    matrix::run(rows(&BROKEN), variations()).await;
}

#[tokio::test]
async fn a_failure_whose_body_breaks_off_is_still_that_failure() {
    matrix::run(broken_failures(), variations()).await;
}

/// The status, the headers and what was read of the body.
#[tokio::test]
async fn a_failure_whose_body_breaks_off_keeps_what_was_read() {
    let server = RawServer::start(|mut connection| async move {
        connection.read_request().await?;
        let head = "HTTP/1.1 429 Status\r\nretry-after: 3600\r\nms-cv: vector\r\ncontent-length: 100\r\n\r\n";
        connection.write([head, "<html>Too many"].concat()).await
    })
    .await;
    for operation in Operation::ALL {
        let client = client(&server.endpoint, KEY, Wiretap::new(&http_client()).options());
        let error = bounded(operation.call(&client, &subject())).await.unwrap_err();
        let found = CommunicationError::from_error(&error).unwrap();
        assert_eq!(found.retry_after, Some(azure_core::time::Duration::HOUR));
        assert_eq!(found.correlation_vector.as_deref(), Some("vector"));
        assert_eq!(found.body_excerpt.as_deref(), Some("<html>Too many"), "{error}");
    }
    assert_eq!(server.requests(), Operation::ALL.len());
}

#[tokio::test]
async fn an_answer_that_is_whole_is_taken() {
    matrix::run(rows(&ODD), variations()).await;
}

/// Whether the reset is seen before the request goes out or while it does is a race, so both kinds are right.
#[tokio::test]
async fn a_connection_that_is_reset_at_once_leaves_a_creation_open_only_if_it_was_sent() {
    let http_client = http_client();
    let server = RawServer::start(|connection| async { connection.reset() }).await;
    for operation in Operation::ALL {
        let client = client(&server.endpoint, KEY, Wiretap::new(&http_client).options());
        let error = bounded(operation.call(&client, &subject())).await.unwrap_err();
        let failure = Failure::of(&error);
        assert!(matches!(failure.kind, Kind::Io | Kind::Connection), "{error}");
        let sent_creation = failure.kind == Kind::Io && operation.creates_user();
        assert_eq!(failure.outcome_unknown, sent_creation, "{error}");
    }
    assert_eq!(server.requests(), 0);
}
