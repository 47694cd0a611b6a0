//! A connection string: a client that reaches and signs as it says, or an error that shows nothing of it.

use crate::{
    client::{options, run, service},
    fake_service::{FakeService, USER},
    redaction::assert_hidden,
    signature::Received,
};
use azure_communication_identity::CommunicationIdentityClient;
use azure_core::{
    Result,
    error::ErrorKind,
    http::{StatusCode, Url},
};
use std::{net::IpAddr, sync::Arc};

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let service = service(StatusCode::NoContent, "");
    match connect(text, &service) {
        Ok(client) => {
            assert_hidden(&format!("{client:?}"), 8);
            assert_endpoint(client.endpoint());
            let key = access_key(text);
            assert_signs(&client, &service, &key);

            // The same parts in another form make the same client.
            let rewritten = format!(" ACCESSKEY\t={key} ; Other=1;Endpoint= {} ;\n", client.endpoint());
            let again = connect(&rewritten, &service).unwrap();
            assert_eq!(again.endpoint(), client.endpoint());
            assert_signs(&again, &service, &key);
        }
        Err(error) => {
            assert!(matches!(error.kind(), ErrorKind::Other), "{error:?}");
            let text = error.to_string();
            assert!(text.contains("Azure portal shows it as"), "{text}");
            assert!(text.len() < 300 && !text.contains(char::is_control), "{text}");
            assert_hidden(&format!("{text} {error:?}"), 8);
        }
    }
}

fn connect(text: &str, service: &Arc<FakeService>) -> Result<CommunicationIdentityClient> {
    CommunicationIdentityClient::with_connection_string(text, Some(options(service)))
}

/// Asserts that an endpoint is a host and perhaps a port, with TLS unless it is on loopback.
fn assert_endpoint(endpoint: &Url) {
    let host = endpoint.host_str().unwrap();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    let is_loopback = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    assert!(
        endpoint.scheme() == "https" || (endpoint.scheme() == "http" && is_loopback),
        "{endpoint}"
    );
    let port = endpoint.port().map_or(String::new(), |port| format!(":{port}"));
    assert_eq!(endpoint.as_str(), format!("{}://{host}{port}/", endpoint.scheme()));
}

/// Returns the key of an accepted connection string, with its padding.
fn access_key(text: &str) -> String {
    let value = text.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("accesskey").then_some(value)
    });
    let digits = value.unwrap().trim().trim_end_matches('=');
    format!("{digits:=<0$}", digits.len().next_multiple_of(4))
}

/// Asserts that the emulator accepts the client's signature with this key.
fn assert_signs(client: &CommunicationIdentityClient, service: &FakeService, key: &str) {
    run(client.delete_user(&USER.parse().unwrap(), None)).unwrap();
    let request = service.requests().pop().unwrap();
    assert_eq!(Received::from(&request).verify(key), Ok(()), "{}", request.url());
}
