//! The requests of the client, its handling of responses and its spans, over a fake transport.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod authentication;
mod errors;
mod policies;
mod properties;
mod recordings;
mod requests;
mod responses;
#[path = "../support/mod.rs"]
mod support;
mod teams_extension;
mod tracing;
mod versions;

use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use azure_core::http::{ClientOptions, Request, headers::HeaderName};
use std::sync::Arc;
use support::{fake_service::FakeService, fixtures::CONNECTION_STRING};

fn client(service: &Arc<FakeService>) -> CommunicationIdentityClient {
    client_with(service.client_options(), false)
}

fn client_with(client_options: ClientOptions, retry_uncertain_creation: bool) -> CommunicationIdentityClient {
    let options = CommunicationIdentityClientOptions {
        client_options,
        retry_uncertain_creation,
        ..Default::default()
    };
    CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap()
}

fn header(request: &Request, name: &'static str) -> Option<String> {
    request.headers().get_optional_string(&HeaderName::from_static(name))
}
