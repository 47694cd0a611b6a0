//! A transport that answers from a script and keeps what it was sent.

use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{AsyncRawResponse, HttpClient, Request, StatusCode, Transport, headers::Headers},
};
use entra_sidecar::SidecarClient;
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

pub(crate) type Answer = Result<AsyncRawResponse>;

/// Answers one try after the other. A try more than there are answers fails the test.
#[derive(Debug)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<Answer>>,
    requests: Mutex<Vec<Request>>,
}

impl Script {
    pub(crate) fn new(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            requests: Mutex::default(),
        })
    }

    pub(crate) fn client(self: &Arc<Self>) -> SidecarClient {
        let options = crate::setup::with_transport(Transport::new(self.clone()));
        SidecarClient::new("http://localhost:5000", Some(options)).unwrap()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

#[async_trait::async_trait]
impl HttpClient for Script {
    async fn execute_request(&self, request: &Request) -> Answer {
        self.requests.lock().unwrap().push(request.clone());
        self.answers.lock().unwrap().pop_front().unwrap()
    }
}

#[expect(clippy::unnecessary_wraps, reason = "an answer, as a failure is")]
pub(crate) fn answer(status: u16, body: &str) -> Answer {
    let status = StatusCode::from(status);
    Ok(AsyncRawResponse::from_bytes(status, Headers::new(), body.to_owned()))
}

pub(crate) fn failure(kind: ErrorKind, cause: &'static str) -> Answer {
    Err(Error::with_error(
        kind,
        std::io::Error::other(cause),
        "failed to execute request",
    ))
}
