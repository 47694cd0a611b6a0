//! The record of requests: a line of the log for each, and ring buffers of the last ones for the control surface.

use crate::{
    dates,
    faults::AppliedFaults,
    http::{
        Endpoint, Refusal, Service,
        cross_origin::{is_preflight, preflight_response},
        fault_injection,
        listener::ResetConnection,
        request::sent_uri,
        response::ResponseIdentity,
    },
    operation::Operation,
    ring_buffer::{Numbered, RingBuffer},
};
use axum::{
    extract::{MatchedPath, Request, State},
    middleware::Next,
    response::Response,
};
use http::Method;
use percent_encoding::percent_decode_str;
use serde::{Serialize, Serializer};
use std::{
    borrow::Cow,
    sync::Arc,
    time::{Duration, Instant},
};
use time::OffsetDateTime;
use tracing::{field::display, info};

/// Sizes of the ring buffers: of all requests, and of those with the status 401.
const MAX_REQUESTS: usize = 100;
const MAX_REFUSALS: usize = 50;
/// The most characters of a method, path or identity in a record.
const MAX_TEXT: usize = 300;
/// The header with the trace of a request, by [W3C Trace Context](https://www.w3.org/TR/trace-context/).
const TRACEPARENT: &str = "traceparent";
/// The explanation of a request whose client did not wait for the response.
const CLIENT_GONE: &str = "the connection was closed before the response";

/// Answers a preflight, or applies faults to the request, and records it with its response.
pub(super) async fn record(State(endpoint): State<Endpoint>, request: Request, next: Next) -> Response {
    let mut recorder = Recorder::start(endpoint.service.clone(), &request);
    let mut response = match &recorder.faults {
        None if is_preflight(&request) => preflight_response(request.headers()),
        None => next.run(request).await,
        Some(faults) => fault_injection::apply(faults, &endpoint.service, request, next).await,
    };
    recorder.outcome = Some(Outcome::take_from(&mut response));
    response
}

/// A request in progress. Dropping it records the request, whether there is a response or not.
///
/// Query, headers and body are left out, as they may contain secrets, apart from the header `traceparent`. Access keys are
/// redacted.
struct Recorder {
    service: Arc<Service>,
    started: Instant,
    method: Method,
    path: String,
    operation: Option<Operation>,
    traceparent: Option<String>,
    faults: Option<AppliedFaults>,
    /// `None` as long as there is no response.
    outcome: Option<Outcome>,
}

/// The parts of a response that are recorded.
struct Outcome {
    /// Absent if nothing is sent and the operation did not run.
    status: Option<u16>,
    code: Option<Cow<'static, str>>,
    explanation: Option<String>,
    /// The identity in the response, if the path does not name it.
    identity: Option<String>,
}

impl Recorder {
    fn start(service: Arc<Service>, request: &Request) -> Self {
        let method = request.method().clone();
        let path = sent_uri(request.uri(), request.extensions()).path().to_owned();
        let route = request.extensions().get().map(MatchedPath::as_str);
        let operation = route.and_then(|route| Operation::of(&method, route));
        let traceparent = request.headers().get(TRACEPARENT);
        Self {
            traceparent: traceparent.and_then(|value| value.to_str().ok()).map(ToOwned::to_owned),
            started: Instant::now(),
            // A preflight is not the request that a fault is meant for.
            faults: (!is_preflight(request))
                .then(|| service.faults.apply_to(operation))
                .flatten(),
            outcome: None,
            service,
            method,
            path,
            operation,
        }
    }
}

impl Outcome {
    fn client_gone() -> Self {
        Self {
            status: None,
            code: None,
            explanation: Some(CLIENT_GONE.to_owned()),
            identity: None,
        }
    }

    /// Removes from the response what is only recorded.
    fn take_from(response: &mut Response) -> Self {
        let reset = response.extensions().get();
        let has_status = reset != Some(&ResetConnection::BeforeCommit);
        let status = has_status.then(|| response.status().as_u16());
        let extensions = response.extensions_mut();
        let (code, explanation) = match extensions.remove() {
            Some(Refusal { code, reason, .. }) => (code, reason),
            None => (None, None),
        };
        Self {
            status,
            code,
            explanation,
            identity: extensions.remove().map(|ResponseIdentity(id)| id),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let method = self.service.redact(self.method.as_str());
        let path = self.service.redact(&self.path);
        let Outcome {
            status,
            code,
            explanation,
            identity,
        } = self.outcome.take().unwrap_or_else(Outcome::client_gone);
        let fault = self.faults.as_ref().map(AppliedFaults::description);
        // Not quoted, so that the backslashes of an explanation are not doubled. A reason is one line.
        let reason = explanation.as_ref().map(display);
        info!(%method, path = &*path, status, fault, code = code.as_deref(), reason);
        self.service.request_log.add(RequestRecord {
            time: self.service.resource.clock.now(),
            method: method.into_owned(),
            path: path.into_owned(),
            operation: self.operation,
            traceparent: self
                .traceparent
                .as_deref()
                .map(|text| self.service.redact(text).into_owned()),
            identity,
            status,
            duration: self.started.elapsed(),
            code,
            explanation,
            fault: fault.map(ToOwned::to_owned),
        });
    }
}

/// A request and its response, as the control surface lists them.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RequestRecord {
    #[serde(serialize_with = "dates::serialize_timestamp")]
    time: OffsetDateTime,
    method: String,
    /// Without the query, which may contain secrets.
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Operation>,
    /// The header, as it was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<String>,
    /// Absent if a fault reset the connection before the operation, or if the client closed it. If the fault did so after
    /// the operation, this is the status that was not sent.
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

/// The last requests, and the last of those whose authentication was refused.
#[derive(Debug, Default)]
pub(crate) struct RequestLog {
    requests: RingBuffer<RequestRecord, MAX_REQUESTS>,
    refusals: RingBuffer<RequestRecord, MAX_REFUSALS>,
}

impl RequestLog {
    /// Adds a request, with the identity in its path if the response has none. Long texts are cut.
    fn add(&self, record: RequestRecord) {
        let record = RequestRecord {
            identity: record.identity.or_else(|| identity_in(&record.path)),
            method: cut(&record.method),
            traceparent: record.traceparent.as_deref().map(cut),
            path: cut(&record.path),
            ..record
        };
        if record.status == Some(401) {
            self.refusals.add(record.clone());
        }
        self.requests.add(record);
    }

    /// Drops all requests.
    pub(crate) fn clear(&self) {
        self.requests.clear();
        self.refusals.clear();
    }

    /// The last requests, newest first.
    pub(crate) fn requests(&self) -> Vec<Numbered<RequestRecord>> {
        self.requests.list()
    }

    /// The last requests with the status 401, newest first.
    pub(crate) fn refusals(&self) -> Vec<Numbered<RequestRecord>> {
        self.refusals.list()
    }
}

/// The identity that a path names, percent-decoded.
fn identity_in(path: &str) -> Option<String> {
    let mut segments = path.strip_prefix('/')?.split('/');
    let decode = |segment| percent_decode_str(segment).decode_utf8_lossy();
    let is_identity = decode(segments.next()?).eq_ignore_ascii_case("identities");
    let id = segments.next().filter(|id| is_identity && !id.is_empty())?;
    Some(cut(&decode(id)))
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

    fn add(log: &RequestLog, method: &str, path: &str, operation: Option<Operation>, status: u16) {
        log.add(RequestRecord {
            time: datetime!(2026-08-01 00:00 UTC),
            method: method.to_owned(),
            path: path.to_owned(),
            operation,
            traceparent: None,
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
        let log = RequestLog::default();
        add(&log, "GET", "/refused", None, 401);
        for _ in 0..1000 {
            add(&log, "POST", "/identities", Some(Operation::CreateIdentity), 201);
        }
        let numbers: Vec<_> = log.requests().iter().map(|record| record.number).collect();
        assert_eq!(numbers, (901..=1000).rev().collect::<Vec<_>>());
        let refused: Vec<_> = log.refusals().into_iter().map(|record| record.item.path).collect();
        assert_eq!(refused, ["/refused"]);
    }

    #[test]
    fn a_record_names_operation_and_identity() {
        let log = RequestLog::default();
        let path = "/identities/8%3Aacs%3Aa_b";
        add(&log, "DELETE", path, Some(Operation::DeleteIdentity), 204);
        let record = serde_json::to_value(log.requests()).unwrap()[0].take();
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
        assert_eq!(record, expected);
    }

    #[test]
    fn long_paths_and_methods_are_cut() {
        let log = RequestLog::default();
        let path = format!("/identities/{}", "é".repeat(9000));
        add(&log, &"M".repeat(9000), &path, None, 401);
        for Numbered { item: record, .. } in log.refusals() {
            assert_eq!(record.method, "M".repeat(300));
            assert_eq!(record.path.chars().count(), 300);
            assert_eq!(record.identity, Some("é".repeat(300)));
        }
    }
}
