//! A transport that responds from a script, and records the requests.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    dead_code,
    reason = "a test fails by panicking, and uses some of it"
)]

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
    future::{Future, ready},
    pin::Pin,
    sync::{Arc, Mutex},
};

/// The newest stable version of the service's REST API, by its specification: the folder `stable/2026-09-23` in
/// Azure/azure-rest-api-specs, specification/communication/data-plane/Identity.
pub(crate) const API_VERSION: &str = "2026-09-23";

/// The response to one attempt.
pub(crate) type AttemptResponse = Box<dyn FnOnce(&Request) -> Result<AsyncRawResponse> + Send>;

/// A response that may take its time.
pub(crate) type Pending = Pin<Box<dyn Future<Output = Result<AsyncRawResponse>> + Send>>;

type Respond = dyn FnMut(&Request) -> Pending + Send;

pub(crate) struct FakeService {
    respond: Mutex<Box<Respond>>,
    requests: Mutex<Vec<Request>>,
}

impl FakeService {
    /// Creates a service that gives each attempt the next response. An attempt too many fails the test.
    pub(crate) fn new(responses: impl IntoIterator<Item = AttemptResponse>) -> Arc<Self> {
        let mut responses: VecDeque<AttemptResponse> = responses.into_iter().collect();
        Self::with(move |request| {
            let response = responses.pop_front().expect("there is a response for this attempt");
            Box::pin(ready(response(request)))
        })
    }

    /// Creates a service that gives every attempt what a function returns.
    pub(crate) fn with(respond: impl FnMut(&Request) -> Pending + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            respond: Mutex::new(Box::new(respond)),
            requests: Mutex::default(),
        })
    }

    /// Returns the requests so far, as they would have gone on the wire.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Returns options that send to this service and retry twice, after ten seconds each.
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
        let response = (self.respond.lock().unwrap())(request);
        response.await
    }
}

/// A response with a status, headers and a body.
pub(crate) fn respond(status: StatusCode, headers: &[(&'static str, &str)], body: impl Into<Bytes>) -> AttemptResponse {
    let mut response_headers = Headers::new();
    for &(name, value) in headers {
        response_headers.insert(name, value.to_owned());
    }
    let body = body.into();
    Box::new(move |_| Ok(AsyncRawResponse::from_bytes(status, response_headers, body)))
}

/// A response with a status and nothing else.
pub(crate) fn status(status: StatusCode) -> AttemptResponse {
    respond(status, &[], "")
}

/// The service's response that it is busy: a 503 with its error in the body.
pub(crate) fn busy() -> AttemptResponse {
    respond(StatusCode::ServiceUnavailable, &[], BUSY)
}

/// The body of [`busy`].
pub(crate) const BUSY: &str = r#"{"error":{"code":"ServiceUnavailable","message":"The service is busy."}}"#;

/// A failure of the transport, with a cause as deep as real ones.
pub(crate) fn failure(kind: ErrorKind, cause: &'static str) -> AttemptResponse {
    Box::new(move |_| {
        let cause = std::io::Error::other(cause);
        Err(Error::with_error(kind, cause, "failed to execute request"))
    })
}

pub(crate) const USER: &str = "8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-0ffb879b1130";

/// The documented response to the creation of [`USER`].
pub(crate) fn created() -> AttemptResponse {
    respond(StatusCode::Created, &[], format!(r#"{{"identity":{{"id":"{USER}"}}}}"#))
}

/// The documented response to a request for a token.
pub(crate) fn issued() -> AttemptResponse {
    respond(
        StatusCode::Ok,
        &[],
        r#"{"token":"issued-token","expiresOn":"2026-08-02T00:00:00.1234567+00:00"}"#,
    )
}
