//! Connections that break off, and answers that are not HTTP, or only half of it.

use crate::{
    asked::{Asked, KEY, subject},
    bounded,
    matrix::{self, Fault, rows, variations},
    operation::Operation,
    raw_server::RawServer,
    reply::{End, Reply, answer, documented, success},
    rule::{
        Failure, Kind,
        Rule::{Harmless, Interrupted},
    },
    wiretap::{Wiretap, client, http_client},
};
use std::fmt::Write as _;

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
