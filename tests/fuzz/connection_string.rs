//! A connection string: a client that reaches and signs as it says, or an error that shows nothing of it.

use crate::{
    client::{Service, run, user},
    hidden::assert_hidden,
};
use acs_identity_emulator::signature::{AccessKey, SignatureError, SignedRequest, Tolerance, verify};
use azure_communication_identity::CommunicationIdentityClient;
use azure_core::{
    Result,
    error::ErrorKind,
    http::{Request, StatusCode, Url, headers::HeaderName},
    time::OffsetDateTime,
};
use std::{net::IpAddr, sync::Arc};

pub(crate) fn check(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let service = Service::answering(StatusCode::NoContent, "");
    match connect(text, &service) {
        Ok(client) => {
            assert_hidden(&format!("{client:?}"), 8);
            assert_endpoint(client.endpoint());
            let key = access_key(text);
            assert_signs(&client, &service, &key);

            // Its parts in other words are the same.
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

fn connect(text: &str, service: &Arc<Service>) -> Result<CommunicationIdentityClient> {
    CommunicationIdentityClient::with_connection_string(text, Some(service.options()))
}

/// An endpoint is a host and perhaps a port, and TLS may be missing on loopback alone.
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

/// The key in a connection string that was accepted, with its padding.
fn access_key(text: &str) -> String {
    let value = text.split(';').find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("accesskey").then_some(value)
    });
    let digits = value.unwrap().trim().trim_end_matches('=');
    format!("{digits:=<0$}", digits.len().next_multiple_of(4))
}

/// Asserts that the client signs with the key, by the emulator, which was written from the service's documents.
fn assert_signs(client: &CommunicationIdentityClient, service: &Service, key: &str) {
    run(client.delete_user(&user(), None)).unwrap();
    let key: AccessKey = key.parse().unwrap();
    let request = service.request();
    assert_eq!(verified(&request, &key), Ok(()), "{}", request.url());
}

fn verified(request: &Request, key: &AccessKey) -> std::result::Result<(), SignatureError> {
    let header = |name| {
        let name = HeaderName::from_static(name);
        request.headers().get_optional_string(&name)
    };
    let (date, hash, authorization) = (
        header("x-ms-date"),
        header("x-ms-content-sha256"),
        header("authorization"),
    );
    let host = request.url().host_str().unwrap();
    let host = request
        .url()
        .port()
        .map_or(host.to_owned(), |port| format!("{host}:{port}"));
    let seen = SignedRequest {
        method: request.method().as_str(),
        target: &request.path_and_query(),
        host: Some(&host),
        x_ms_date: date.as_deref(),
        date: None,
        content_sha256: hash.as_deref(),
        authorization: authorization.as_deref(),
        body: b"",
    };
    verify(&seen, key, OffsetDateTime::now_utc(), Tolerance::Strict)
}
