//! The https endpoint and its certificate.

use crate::{
    client::{Client, http_trusting, start},
    wire::exchange,
};
use acs_identity_emulator::TokenStatus;

#[tokio::test]
async fn a_client_that_trusts_the_ca_is_served_under_either_name() {
    let emulator = start().await;
    let client = Client::over_https(&emulator);
    for name in ["127.0.0.1", "localhost"] {
        let origin = client.origin.replace("127.0.0.1", name);
        let client = Client {
            origin,
            ..client.clone()
        };
        let id = client.create().await;
        assert_eq!(
            emulator.token_status(&client.issue_chat(&id).await),
            TokenStatus::Active,
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_client_that_does_not_trust_the_ca_rejects_the_certificate() {
    let (emulator, other) = (start().await, start().await);
    for ca_pem in [other.ca_pem(), ""] {
        let request = http_trusting(ca_pem).get(emulator.https_endpoint());
        let error = format!("{:?}", request.send().await.unwrap_err());
        assert!(error.contains("InvalidCertificate"), "{error}");
    }
}

#[tokio::test]
async fn the_https_port_does_not_serve_plain_http() {
    let emulator = start().await;
    let request = "GET /_emulator/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let answer = exchange(emulator.https_endpoint(), request).await;
    // The first byte of a TLS alert.
    assert!(answer.starts_with('\u{15}'), "{answer:?}");
}
