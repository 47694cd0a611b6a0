//! Responses with every status and every kind of body.

use crate::{
    fault::Fault,
    harness::{operations, over_a_fake_transport, over_sockets, variations},
    reply::{End, Reply, response, success},
    request::RawRequest,
    rule::Rule::{self, Busy, Overlong, Permanent, Refused, Transient, Undocumented, Unreadable},
    support::fixtures::TOKEN,
};

/// Statuses that no operation documents as a success.
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
    (408, Transient(408)),
    (409, Refused(409)),
    (413, Refused(413)),
    (422, Refused(422)),
    (429, Busy(429)),
    (451, Refused(451)),
    (500, Transient(500)),
    (501, Permanent(501)),
    (502, Transient(502)),
    // A gateway's, unless the service's own error is in its body.
    (503, Transient(503)),
    (504, Transient(504)),
    (505, Permanent(505)),
    (599, Permanent(599)),
];

pub(crate) type Body = (&'static str, fn(&RawRequest) -> Vec<u8>);

/// Bodies that no operation documents. They contain secrets, except in the texts of the service, which are shown unchanged.
pub(crate) const BODIES: [Body; 23] = [
    ("nothing", |_| Vec::new()),
    ("white space", |_| b" \r\n\t ".into()),
    ("HTML that repeats the request", |request| {
        format!("<html>\r\n<pre>{}</pre></html>", request.0).into()
    }),
    ("text with the token", |_| {
        format!("your token is {TOKEN}\u{1b}[31m\u{7}").into()
    }),
    ("the token", |_| TOKEN.into()),
    ("a string", |_| format!(r#""{TOKEN}""#).into()),
    ("half of the documented response", |request| {
        let body = request.documented().1;
        body[..body.len() * 2 / 3].into()
    }),
    ("null", |_| b"null".into()),
    ("a number", |_| b"1e999".into()),
    ("an array of tokens", |_| {
        format!(r#"["{TOKEN}",{{"token":"{TOKEN}"}}]"#).into()
    }),
    ("an empty object", |_| b"{}".into()),
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
    ("UTF-16", |request| {
        request
            .documented()
            .1
            .encode_utf16()
            .flat_map(u16::to_le_bytes)
            .chain([b' '])
            .collect()
    }),
    (SERVICE_ERROR, |_| {
        let detail = r#"{"code":"A\r\nB","message":"\u001b[31m m","target":1e99}"#;
        let details = vec![detail; 500].join(",");
        let inner = r#"{"code":"C","innererror":"#.repeat(100) + "null" + &"}".repeat(100);
        format!(r#"{{"error":{{"code":"A\nB","message":"m\r\nm","details":[{details}],"innererror":{inner}}}}}"#).into()
    }),
];

const SERVICE_ERROR: &str = "an error of the service with all members";

/// Returns an object with every member that a response can have.
fn members(value: &str) -> Vec<u8> {
    let token = format!(r#""token":{value},"expiresOn":{value}"#);
    format!(r#"{{"identity":{{"id":{value}}},"accessToken":{{{token}}},{token},"error":{value}}}"#).into()
}

type Long = (&'static str, fn(u16) -> Reply);

/// Bodies longer than the limit.
const LONG: [Long; 5] = [
    ("ten megabytes", |status| response(status, "", b" ".repeat(10_000_000))),
    ("ten megabytes in one word", |status| {
        response(status, "", b"x".repeat(10_000_000))
    }),
    ("ten megabytes that end with the connection", |status| {
        let head = format!("HTTP/1.1 {status} Status\r\n\r\n");
        Reply::bytes([head.as_bytes(), &b" ".repeat(10_000_000)].concat()).then(End::Close)
    }),
    ("a body without an end", |status| {
        let head = format!("HTTP/1.1 {status} Status\r\ntransfer-encoding: chunked\r\n\r\n");
        Reply::bytes(head).then(End::Repeat(format!("2000\r\n{}\r\n", " ".repeat(0x2000))))
    }),
    (COMPRESSED, |status| {
        response(status, "content-encoding: gzip\r\n", bomb())
    }),
];

const COMPRESSED: &str = "ten megabytes in 65 kilobytes";

/// The statuses of long bodies; `None` is that of a success.
const STATUSES_OF_LONG: [(Option<u16>, Rule); 3] =
    [(None, Overlong), (Some(404), Refused(404)), (Some(500), Transient(500))];

/// Returns ten megabytes of white space, compressed.
fn bomb() -> Vec<u8> {
    // RFC 1952: no name, no time, any system.
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];
    // RFC 1951, 3.2.6: a block of fixed codes with a space, and the first bits of the next code.
    let space = [0x52];
    // Repetitions of the byte before, 258 each. One has 13 bits, so eight of them fill these bytes.
    let repetitions = [
        0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c, 0x82, 0x51, 0x30, 0x0a, 0x46, 0xc1, 0x28,
    ];
    [&head[..], &space, &repetitions.repeat(5_000)].concat()
}

/// Returns the statuses, each with these bodies.
pub(crate) fn statuses(bodies: &[Body]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (status, rule) in STATUSES {
        for &(name, body) in bodies {
            let is_the_services = status == 503 && name == SERVICE_ERROR;
            let rule = if is_the_services { Busy(503) } else { rule };
            faults.push(Fault::new(format!("{status} with {name}"), rule, move |request| {
                response(status, "", if status == 304 { Vec::new() } else { body(request) })
            }));
        }
    }
    faults
}

pub(crate) fn successes() -> Vec<Fault> {
    let fault = |(name, body): Body| {
        Fault::new(format!("success with {name}"), Unreadable, move |request| {
            success(request, "content-type: application/json\r\n", body(request))
        })
    };
    BODIES.into_iter().map(fault).collect()
}

pub(crate) fn long() -> Vec<Fault> {
    let mut faults = Vec::new();
    for (status, rule) in STATUSES_OF_LONG {
        for (name, reply) in LONG {
            // The transport over hyper asks for no compression, and decompresses nothing.
            let stays_compressed = cfg!(feature = "hyper") && status.is_none() && name == COMPRESSED;
            let rule = if stays_compressed { Unreadable } else { rule };
            faults.push(Fault::new(format!("{status:?} with {name}"), rule, move |request| {
                reply(status.unwrap_or_else(|| request.status_with_body()))
            }));
        }
    }
    faults
}

#[tokio::test]
async fn statuses_over_sockets() {
    let (empty, others) = BODIES.split_first().unwrap();
    over_sockets(&statuses(&[*empty]), &variations()).await;
    over_sockets(&statuses(others), &operations()).await;
}

#[tokio::test(start_paused = true)]
async fn statuses_over_a_fake_transport() {
    let (empty, others) = BODIES.split_first().unwrap();
    over_a_fake_transport(&statuses(&[*empty]), &variations()).await;
    over_a_fake_transport(&statuses(others), &operations()).await;
}

#[tokio::test]
async fn successes_without_their_content_over_sockets() {
    over_sockets(&successes(), &operations()).await;
}

#[tokio::test(start_paused = true)]
async fn successes_without_their_content_over_a_fake_transport() {
    over_a_fake_transport(&successes(), &operations()).await;
}

#[tokio::test]
async fn long_bodies_over_sockets() {
    over_sockets(&long(), &operations()).await;
}

#[tokio::test(start_paused = true)]
async fn long_bodies_over_a_fake_transport() {
    over_a_fake_transport(&long(), &operations()).await;
}
