//! Answers with every status and every kind of body.

use crate::{
    asked::{Asked, KEY, TOKEN, subject},
    bounded,
    matrix::{self, Row, operations, variations},
    reply::{End, Reply, answer, success},
    rule::Rule::{
        self, Failed, FailedForGood, Overlong, Refused, TurnedAway, TurnedAwayForLong, Undocumented, Unreadable,
    },
    support::http_client::http_client,
    support::operation::Operation,
    support::raw_server::RawServer,
    wiretap::{Wiretap, client},
};
use azure_communication_identity::CommunicationError;
use azure_core::time::Duration;
use std::sync::Arc;

/// Answers that are no success of any operation, and the rules for them.
pub(crate) const STATUSES: [(u16, Rule); 24] = [
    (202, Undocumented(202)),
    (206, Undocumented(206)),
    (226, Undocumented(226)),
    (300, Refused(300)),
    (304, Refused(304)),
    (400, Refused(400)),
    (401, Refused(401)),
    (403, Refused(403)),
    (404, Refused(404)),
    (405, Refused(405)),
    (407, Refused(407)),
    (408, Failed(408)),
    (409, Refused(409)),
    (413, Refused(413)),
    (422, Refused(422)),
    (429, TurnedAway(429)),
    (451, Refused(451)),
    (500, Failed(500)),
    (501, FailedForGood(501)),
    (502, Failed(502)),
    // A gateway's, unless the service's own error is in its body.
    (503, Failed(503)),
    (504, Failed(504)),
    (505, FailedForGood(505)),
    (599, FailedForGood(599)),
];

pub(crate) type Body = (&'static str, fn(&Asked) -> Vec<u8>);

/// Bodies that are no answer of an operation. What is secret is in them, but not in the service's own words, which are
/// shown as they come.
pub(crate) const BODIES: [Body; 23] = [
    ("nothing", |_| Vec::new()),
    ("white space", |_| b" \r\n\t ".into()),
    ("HTML that repeats the request", |asked| {
        format!("<html>\r\n<pre>{}</pre></html>", asked.0).into()
    }),
    ("text with the token", |_| {
        format!("your token is {TOKEN}\u{1b}[31m\u{7}").into()
    }),
    ("the token", |_| TOKEN.into()),
    ("a string", |_| format!(r#""{TOKEN}""#).into()),
    ("half of the documented answer", |asked| {
        let body = asked.documented().1;
        body[..body.len() * 2 / 3].into()
    }),
    ("null", |_| b"null".into()),
    ("a number", |_| b"1e999".into()),
    ("an array of tokens", |_| {
        format!(r#"["{TOKEN}",{{"token":"{TOKEN}"}}]"#).into()
    }),
    ("an object with nothing in it", |_| b"{}".into()),
    ("an object of another shape", |_| {
        format!(r#"{{"{TOKEN}":{{"value":"{TOKEN}"}}}}"#).into()
    }),
    ("half an object of another shape", |_| {
        format!(r#"{{"{TOKEN}":{{"value":["{TOKEN}","#).into()
    }),
    ("members that are null", |_| members("null")),
    ("members that are huge numbers", |_| {
        members("123456789012345678901234567890e4000")
    }),
    ("members that are arrays", |_| members(&format!(r#"["{TOKEN}"]"#))),
    ("members that are objects of another shape", |_| {
        members(&format!(r#"{{"{TOKEN}":"{TOKEN}"}}"#))
    }),
    ("half a surrogate", |_| members(r#""\ud800""#)),
    ("arrays 20,000 deep", |_| b"[".repeat(20_000)),
    ("objects 20,000 deep", |_| br#"{"a":"#.repeat(20_000)),
    ("not UTF-8", |_| {
        members("\"\0\"")
            .into_iter()
            .map(|byte| if byte == 0 { 0xff } else { byte })
            .collect()
    }),
    ("UTF-16", |asked| {
        asked
            .documented()
            .1
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .chain([b' '])
            .collect()
    }),
    (THE_SERVICES_OWN, |_| {
        let detail = r#"{"code":"A\r\nB","message":"\u001b[31m m","target":1e99}"#;
        let details = vec![detail; 500].join(",");
        let inner = r#"{"code":"C","innererror":"#.repeat(100) + "null" + &"}".repeat(100);
        format!(r#"{{"error":{{"code":"A\nB","message":"m\r\nm","details":[{details}],"innererror":{inner}}}}}"#).into()
    }),
];

const THE_SERVICES_OWN: &str = "an error of the service with everything in it";

/// Every member that an answer of any operation can have.
fn members(value: &str) -> Vec<u8> {
    let token = format!(r#""token":{value},"expiresOn":{value}"#);
    format!(r#"{{"identity":{{"id":{value}}},"accessToken":{{{token}}},{token},"error":{value}}}"#).into()
}

type Long = (&'static str, fn(u16) -> Reply);

/// Bodies that do not end within reason.
pub(crate) const LONG: [Long; 5] = [
    ("ten megabytes", |status| answer(status, "", b" ".repeat(10_000_000))),
    ("ten megabytes in one word", |status| {
        answer(status, "", b"x".repeat(10_000_000))
    }),
    ("ten megabytes that end with the connection", |status| {
        let head = format!("HTTP/1.1 {status} Status\r\n\r\n");
        Reply::new([head.as_bytes(), &b" ".repeat(10_000_000)].concat()).then(End::Close)
    }),
    ("a body without an end", |status| {
        let head = format!("HTTP/1.1 {status} Status\r\ntransfer-encoding: chunked\r\n\r\n");
        Reply::new(head).then(End::Repeat(format!("2000\r\n{}\r\n", " ".repeat(0x2000))))
    }),
    ("ten megabytes in 65 kilobytes", |status| {
        answer(status, "content-encoding: gzip\r\n", bomb())
    }),
];

/// The statuses that long bodies come with; `None` is that of a success.
pub(crate) const STATUSES_OF_LONG: [(Option<u16>, Rule); 3] =
    [(None, Overlong), (Some(404), Refused(404)), (Some(500), Failed(500))];

/// Ten megabytes of white space, compressed.
fn bomb() -> Vec<u8> {
    // RFC 1952: no name, no time, any system.
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    // RFC 1951, 3.2.6: a block of fixed codes with a space, and the first bits of what follows.
    let space = [0x52];
    // Again and again 258 bytes like the one before; 13 bits each, so that eight of them fill these.
    let repetitions = [
        0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28,
    ];
    [&head[..], &space, &repetitions.repeat(5_000)].concat()
}

/// How an answer can ask for a wait, and how long that is: `None` where it does not.
pub(crate) const WAITS: [(&str, Option<i64>); 16] = [
    ("retry-after: 0\r\n", Some(0)),
    ("retry-after: -5\r\n", Some(0)),
    ("retry-after: -9223372036854775808\r\n", Some(0)),
    ("retry-after: Thu, 01 Jan 1970 00:00:00 GMT\r\n", Some(0)),
    ("retry-after: soon\r\n", None),
    ("retry-after: \r\n", None),
    ("retry-after: 99999999999999999999\r\n", None),
    ("retry-after-ms: 0\r\n", Some(0)),
    // Longer than `max_retry_after`, and not than the time that is left of `timeout`.
    ("retry-after: 90\r\n", Some(90)),
    ("retry-after: 3600\r\n", Some(3600)),
    ("retry-after: 9223372036854775807\r\n", Some(i64::MAX)),
    ("retry-after-ms: 3600000\r\n", Some(3600)),
    ("x-ms-retry-after-ms: 3600000\r\n", Some(3600)),
    ("x-ms-retry-after-ms: 3600000\r\nretry-after: 0\r\n", Some(3600)),
    // Dates, by a clock that is years off.
    (
        "date: Mon, 01 Feb 2038 00:00:00 GMT\r\nretry-after: Mon, 01 Feb 2038 01:00:00 GMT\r\n",
        Some(3600),
    ),
    (
        "date: Mon, 01 Feb 2038 00:00:00 GMT\r\nretry-after: Mon, 01 Feb 2038 00:00:00 GMT\r\n",
        Some(0),
    ),
];

/// The statuses that a wait can come with, their bodies, the rule without a wait and that with a long one. azure_core keeps
/// a wait with 429 and 503 only; with the others it is in the error, but not kept.
pub(crate) const STATUSES_OF_WAITS: [(u16, &str, Rule, Rule); 7] = [
    (429, "", TurnedAway(429), TurnedAwayForLong(429)),
    (503, SERVICE_ERROR, TurnedAway(503), TurnedAwayForLong(503)),
    (503, "", Failed(503), FailedForGood(503)),
    (408, "", Failed(408), Failed(408)),
    (500, "", Failed(500), Failed(500)),
    (502, "", Failed(502), Failed(502)),
    (504, "", Failed(504), Failed(504)),
];

/// The service's own error, as its specification has it.
pub(crate) const SERVICE_ERROR: &str = r#"{"error":{"code":"ServiceUnavailable","message":"Try again later."}}"#;

/// The statuses, each with these bodies.
pub(crate) fn statuses(bodies: &[Body]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (status, rule) in STATUSES {
        for &(name, body) in bodies {
            let is_the_services = status == 503 && name == THE_SERVICES_OWN;
            rows.push(Row {
                name: format!("{status} with {name}"),
                reply: Arc::new(move |asked| answer(status, "", if status == 304 { Vec::new() } else { body(asked) })),
                rule: if is_the_services { TurnedAway(503) } else { rule },
            });
        }
    }
    rows
}

pub(crate) fn successes() -> Vec<Row> {
    let row = |(name, body): Body| Row {
        name: format!("success with {name}"),
        reply: Arc::new(move |asked| success(asked, "content-type: application/json\r\n", body(asked))),
        rule: Unreadable,
    };
    BODIES.into_iter().map(row).collect()
}

pub(crate) fn long() -> Vec<Row> {
    let mut rows = Vec::new();
    for (status, rule) in STATUSES_OF_LONG {
        for (name, reply) in LONG {
            rows.push(Row {
                name: format!("{status:?} with {name}"),
                reply: Arc::new(move |asked| reply(status.unwrap_or_else(|| asked.status_with_body()))),
                rule,
            });
        }
    }
    rows
}

pub(crate) fn waits() -> Vec<Row> {
    let mut rows = Vec::new();
    for (status, body, rule, rule_of_long) in STATUSES_OF_WAITS {
        for (headers, wait) in WAITS {
            rows.push(Row {
                name: format!("{status} with {headers}"),
                reply: Arc::new(move |_| answer(status, headers, body)),
                rule: if wait > Some(0) { rule_of_long } else { rule },
            });
        }
    }
    rows
}

#[tokio::test]
async fn a_status_is_taken_as_documented_whatever_its_body() {
    let (nothing, others) = BODIES.split_first().unwrap();
    matrix::run(statuses(&[*nothing]), variations()).await;
    matrix::run(statuses(others), operations()).await;
}

#[tokio::test]
async fn a_success_without_its_content_is_not_taken_for_one() {
    matrix::run(successes(), operations()).await;
}

#[tokio::test]
async fn a_body_is_read_to_a_mebibyte_at_most() {
    matrix::run(long(), operations()).await;
}

#[tokio::test]
async fn a_wait_that_is_asked_for_is_kept_or_ends_the_call() {
    matrix::run(waits(), variations()).await;
}

#[tokio::test]
async fn a_wait_that_was_not_kept_is_in_the_error() {
    for (status, body, ..) in STATUSES_OF_WAITS {
        for (headers, wait) in WAITS {
            let server = RawServer::start(move |mut connection| async move {
                while connection.read_request().await?.is_some() {
                    connection.write(answer(status, headers, body).bytes).await?;
                }
                Ok(())
            })
            .await;
            for operation in Operation::ALL {
                let client = client(&server.endpoint, KEY, Wiretap::new(&http_client()).options());
                let error = bounded(operation.call(&client, &subject())).await.unwrap_err();
                let found = CommunicationError::from_error(&error).unwrap().retry_after;
                assert_eq!(found, wait.map(Duration::seconds), "{status}, {headers}, {operation:?}");
            }
        }
    }
}
