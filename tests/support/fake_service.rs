//! A transport that answers from a script and keeps what it was sent.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "part of several tests, and each uses some of it")]

use azure_core::{
    Bytes, Error, Result,
    error::ErrorKind,
    http::{
        AsyncRawResponse, ClientOptions, FixedRetryOptions, HttpClient, Request, RetryOptions, StatusCode, Transport,
        headers::Headers,
    },
    time::Duration,
};
use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex},
};

/// The newest stable version of the service's REST API, by its specification: the folder `stable/2026-09-23` in
/// Azure/azure-rest-api-specs, specification/communication/data-plane/Identity.
pub(crate) const API_VERSION: &str = "2026-09-23";

/// The answer to one attempt.
pub(crate) type Answer = Box<dyn FnOnce(&Request) -> Result<AsyncRawResponse> + Send>;

/// Answers one attempt after the other. An attempt more than there are answers fails the test.
pub(crate) struct FakeService {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Request>>,
}

impl FakeService {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            requests: Mutex::default(),
        })
    }

    /// The requests so far, as they would have gone on the wire.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Options that send to this service and retry twice, after ten seconds each.
    pub(crate) fn client_options(self: &Arc<Self>) -> ClientOptions {
        ClientOptions {
            transport: Some(Transport::new(self.clone())),
            retry: RetryOptions::fixed(FixedRetryOptions {
                delay: Duration::seconds(10),
                max_retries: 2,
                max_total_elapsed: Duration::hours(1),
            }),
            ..Default::default()
        }
    }
}

impl fmt::Debug for FakeService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeService")
    }
}

#[async_trait::async_trait]
impl HttpClient for FakeService {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        self.requests.lock().unwrap().push(request.clone());
        let answer = self.answers.lock().unwrap().pop_front();
        let answer = answer.expect("the service has an answer for this attempt");
        answer(request)
    }
}

/// An answer with a status, headers and a body.
pub(crate) fn respond(status: StatusCode, headers: &[(&'static str, &'static str)], body: impl Into<Bytes>) -> Answer {
    let mut response_headers = Headers::new();
    for &(name, value) in headers {
        response_headers.insert(name, value);
    }
    let body = body.into();
    Box::new(move |_| Ok(AsyncRawResponse::from_bytes(status, response_headers, body)))
}

/// An answer with a status and nothing else.
pub(crate) fn status(status: StatusCode) -> Answer {
    respond(status, &[], "")
}

/// The service's own answer that it is busy: a 503 with its error in the body.
pub(crate) fn busy() -> Answer {
    respond(StatusCode::ServiceUnavailable, &[], BUSY)
}

/// The body of [`busy`].
pub(crate) const BUSY: &str = r#"{"error":{"code":"ServiceUnavailable","message":"The service is busy."}}"#;

/// A failure of the transport, with a cause as deep as real ones.
pub(crate) fn failure(kind: ErrorKind, cause: &'static str) -> Answer {
    Box::new(move |_| {
        let cause = std::io::Error::other(cause);
        Err(Error::with_error(kind, cause, "failed to execute request"))
    })
}

pub(crate) const USER: &str = "8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-0ffb879b1130";

/// The documented answer to the creation of [`USER`].
pub(crate) fn created() -> Answer {
    respond(StatusCode::Created, &[], format!(r#"{{"identity":{{"id":"{USER}"}}}}"#))
}

/// The documented answer to a request for a token.
pub(crate) fn issued() -> Answer {
    respond(
        StatusCode::Ok,
        &[],
        r#"{"token":"issued-token","expiresOn":"2026-08-02T00:00:00.1234567+00:00"}"#,
    )
}
