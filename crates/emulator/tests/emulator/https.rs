//! The https endpoint and its certificate.

use crate::{
    client::{Client, http_trusting, start},
    wire::exchange,
};
use acs_identity_emulator::TokenStatus;

#[tokio::test]
async fn certificate_is_valid_for_each_name() {
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
async fn certificate_is_rejected_without_the_ca() {
    let (emulator, other) = (start().await, start().await);
    for ca_pem in [other.ca_pem(), ""] {
        let request = http_trusting(ca_pem).get(emulator.https_endpoint());
        let error = format!("{:?}", request.send().await.unwrap_err());
        assert!(error.contains("InvalidCertificate"), "{error}");
    }
}

#[tokio::test]
async fn https_port_refuses_plain_http() {
    let emulator = start().await;
    let request = "GET /_emulator/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let response = exchange(emulator.https_endpoint(), request).await;
    // The first byte of a TLS alert.
    assert!(response.starts_with('\u{15}'), "{response:?}");
}
