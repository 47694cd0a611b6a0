//! What the client does with a transport's answers, seen from outside.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod answers;
mod at_most_once;
mod authentication;
mod errors;
#[path = "../support/fake_service.rs"]
mod fake_service;
#[path = "../support/log.rs"]
mod kept_log;
mod policies;
mod requests;
mod teams_extension;
mod versions;
mod waiting;

use azure_communication_identity::{
    CommunicationIdentityClient, CommunicationIdentityClientOptions, CommunicationUserIdentifier,
};
use azure_core::http::{ClientOptions, Request, headers::HeaderName};
use fake_service::{FakeService, USER};
use std::sync::Arc;

const CONNECTION_STRING: &str = "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0IGFjY2VzcyBrZXk=";

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

fn user() -> CommunicationUserIdentifier {
    USER.parse().unwrap()
}

fn header(request: &Request, name: &'static str) -> Option<String> {
    request.headers().get_optional_string(&HeaderName::from_static(name))
}
