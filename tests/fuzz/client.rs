//! Clients of a service that gives every request the same response.

#![allow(dead_code, reason = "part of several targets, and each uses some of it")]

use crate::fake_service::FakeService;
use azure_communication_identity::{
    AzureKeyCredential, CommunicationIdentityClient, CommunicationIdentityClientOptions,
};
use azure_core::{
    Bytes,
    http::{AsyncRawResponse, ClientOptions, RetryOptions, StatusCode, headers::Headers},
};
use std::{
    future::{Future, ready},
    sync::Arc,
};

/// Creates a service that gives every request this response.
pub(crate) fn service(status: StatusCode, body: impl Into<Bytes>) -> Arc<FakeService> {
    let body = body.into();
    FakeService::with(move |_| {
        let response = AsyncRawResponse::from_bytes(status, Headers::new(), body.clone());
        Box::pin(ready(Ok(response)))
    })
}

/// Returns options that send each request to a service once.
pub(crate) fn options(service: &Arc<FakeService>) -> CommunicationIdentityClientOptions {
    CommunicationIdentityClientOptions {
        client_options: ClientOptions {
            retry: RetryOptions::none(),
            ..service.client_options()
        },
        ..Default::default()
    }
}

/// Creates a client of a service that gives every request this response.
pub(crate) fn client(status: StatusCode, body: impl Into<Bytes>) -> CommunicationIdentityClient {
    let key = AzureKeyCredential::new("a2V5").unwrap();
    let options = options(&service(status, body));
    CommunicationIdentityClient::with_key_credential("https://contoso", key, Some(options)).unwrap()
}

/// Runs a future that never waits.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.unwrap().block_on(future)
}
