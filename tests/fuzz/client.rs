//! A client of a service that gives every request the same answer.

#![allow(dead_code, reason = "part of several targets, and each uses some of it")]

use azure_communication_identity::{
    AzureKeyCredential, CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationUserIdentifier,
};
use azure_core::{
    Bytes, Result,
    http::{
        AsyncRawResponse, ClientOptions, HttpClient, Request, RetryOptions, StatusCode, Transport, headers::Headers,
    },
};
use std::{
    future::Future,
    sync::{Arc, Mutex},
};

/// Answers every request alike, and keeps the last one.
#[derive(Debug)]
pub(crate) struct Service {
    status: StatusCode,
    body: Bytes,
    request: Mutex<Option<Request>>,
}

impl Service {
    pub(crate) fn answering(status: StatusCode, body: impl Into<Bytes>) -> Arc<Self> {
        Arc::new(Self {
            status,
            body: body.into(),
            request: Mutex::default(),
        })
    }

    /// Options that send each request to this service once.
    pub(crate) fn options(self: &Arc<Self>) -> CommunicationIdentityClientOptions {
        CommunicationIdentityClientOptions {
            client_options: ClientOptions {
                transport: Some(Transport::new(self.clone())),
                retry: RetryOptions::none(),
                ..Default::default()
            },
            ..Default::default()
        }
    }

    pub(crate) fn client(self: &Arc<Self>) -> CommunicationIdentityClient {
        let key = AzureKeyCredential::new("a2V5").unwrap();
        CommunicationIdentityClient::with_key_credential("https://contoso", key, Some(self.options())).unwrap()
    }

    /// The last request, as it would have gone on the wire.
    pub(crate) fn request(&self) -> Request {
        self.request.lock().unwrap().take().unwrap()
    }
}

#[async_trait::async_trait]
impl HttpClient for Service {
    async fn execute_request(&self, request: &Request) -> Result<AsyncRawResponse> {
        *self.request.lock().unwrap() = Some(request.clone());
        Ok(AsyncRawResponse::from_bytes(
            self.status,
            Headers::new(),
            self.body.clone(),
        ))
    }
}

pub(crate) fn user() -> CommunicationUserIdentifier {
    "8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-0ffb879b1130"
        .parse()
        .unwrap()
}

/// Runs a future that waits for nothing.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(future)
}
