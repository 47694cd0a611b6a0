//! The last requests, for people to look at.

use crate::{
    dates,
    operation::Operation,
    ring_buffer::{Numbered, RingBuffer},
};
use percent_encoding::percent_decode_str;
use serde::{Serialize, Serializer};
use std::{borrow::Cow, time::Duration};
use time::OffsetDateTime;

/// How many requests, and how many of those that were answered with 401, are kept.
const REQUESTS: usize = 100;
const REFUSALS: usize = 50;
/// The most characters of a method, path or identity that are kept.
const MAX_TEXT: usize = 300;

/// A request and how it was answered.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    #[serde(serialize_with = "dates::serialize_timestamp")]
    time: OffsetDateTime,
    method: String,
    /// Without the query, which may contain secrets.
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Operation>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// Absent if a fault reset the connection before there was one, or if the client gave the request up. If the fault
    /// did so after the operation, this is the status that was not sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(rename = "durationMs", serialize_with = "milliseconds")]
    duration: Duration,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Cow<'static, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
    /// The faults that applied to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<String>,
}

/// What the journal needs to know of a request.
pub(crate) struct Answered<'a> {
    pub(crate) time: OffsetDateTime,
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) operation: Option<Operation>,
    /// The identity in the response, if the path does not name it.
    pub(crate) identity: Option<String>,
    pub(crate) status: Option<u16>,
    pub(crate) duration: Duration,
    pub(crate) code: Option<Cow<'static, str>>,
    pub(crate) explanation: Option<String>,
    pub(crate) fault: Option<&'a str>,
}

/// The last requests, and the last of those whose authentication was refused. The explanations are short by themselves.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    requests: RingBuffer<Entry, REQUESTS>,
    refusals: RingBuffer<Entry, REFUSALS>,
}

impl Journal {
    pub(crate) fn add(&self, answered: Answered<'_>) {
        let Answered {
            time,
            method,
            path,
            operation,
            identity,
            status,
            duration,
            code,
            explanation,
            fault,
        } = answered;
        let entry = Entry {
            time,
            method: cut(method),
            path: cut(path),
            operation,
            identity: identity.or_else(|| identity_in(path)),
            status,
            duration,
            code,
            explanation,
            fault: fault.map(ToOwned::to_owned),
        };
        if status == Some(401) {
            self.refusals.add(entry.clone());
        }
        self.requests.add(entry);
    }

    /// The last requests, newest first.
    pub(crate) fn requests(&self) -> Vec<Numbered<Entry>> {
        self.requests.list()
    }

    /// The last requests that were answered with 401, newest first.
    pub(crate) fn refusals(&self) -> Vec<Numbered<Entry>> {
        self.refusals.list()
    }
}

/// The identity that a path names, percent-decoded.
fn identity_in(path: &str) -> Option<String> {
    let segment = path.strip_prefix("/identities/")?.split('/').next()?;
    Some(cut(&percent_decode_str(segment).decode_utf8_lossy()))
}

fn cut(text: &str) -> String {
    let end = text.char_indices().nth(MAX_TEXT).map_or(text.len(), |(end, _)| end);
    text.get(..end).unwrap_or(text).to_owned()
}

fn milliseconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    let microseconds = u32::try_from(duration.as_micros()).unwrap_or(u32::MAX);
    serializer.serialize_f64(f64::from(microseconds) / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn add(journal: &Journal, method: &str, path: &str, status: u16) {
        journal.add(Answered {
            time: datetime!(2026-08-01 00:00 UTC),
            method,
            path,
            operation: Operation::of(&method.parse().unwrap(), path),
            identity: None,
            status: Some(status),
            duration: Duration::from_micros(1500),
            code: None,
            explanation: None,
            fault: None,
        });
    }

    #[test]
    fn refusals_outlive_other_requests() {
        let journal = Journal::default();
        add(&journal, "GET", "/refused", 401);
        for _ in 0..1000 {
            add(&journal, "POST", "/identities", 201);
        }
        let numbers: Vec<_> = journal.requests().iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, (901..=1000).rev().collect::<Vec<_>>());
        let refused: Vec<_> = journal.refusals().into_iter().map(|entry| entry.item.path).collect();
        assert_eq!(refused, ["/refused"]);
    }

    #[test]
    fn an_entry_names_operation_and_identity() {
        let journal = Journal::default();
        add(&journal, "DELETE", "/identities/8%3Aacs%3Aa_b", 204);
        let entry = serde_json::to_value(journal.requests()).unwrap()[0].take();
        let expected = serde_json::json!({
            "number": 0,
            "time": "2026-08-01T00:00:00.0000000+00:00",
            "method": "DELETE",
            "path": "/identities/8%3Aacs%3Aa_b",
            "operation": "deleteIdentity",
            "identity": "8:acs:a_b",
            "status": 204,
            "durationMs": 1.5,
        });
        assert_eq!(entry, expected);
    }

    #[test]
    fn long_paths_and_methods_are_cut() {
        let journal = Journal::default();
        add(
            &journal,
            &"M".repeat(9000),
            &format!("/identities/{}", "é".repeat(9000)),
            401,
        );
        for Numbered { item: entry, .. } in journal.refusals() {
            assert_eq!(entry.method, "M".repeat(300));
            assert_eq!(entry.path.chars().count(), 300);
            assert_eq!(entry.identity, Some("é".repeat(300)));
        }
    }
}
