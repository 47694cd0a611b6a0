//! The https endpoint and its certificate.

use crate::client::{Client, start};
use acs_identity_emulator::{Emulator, TokenStatus};
use reqwest::Certificate;

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_served_under_every_name() {
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
async fn a_client_that_trusts_another_authority_or_none_is_not() {
    let (emulator, other) = (start().await, start().await);
    let url = emulator.https_endpoint();
    let trusting = |ca: &Emulator| Certificate::from_pem(ca.ca_pem().as_bytes()).unwrap();
    let other = reqwest::Client::builder()
        .tls_certs_only([trusting(&other)])
        .build()
        .unwrap();
    assert!(other.get(url).send().await.unwrap_err().is_connect());
    let none = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
    assert!(none.get(url).send().await.unwrap_err().is_connect());
    let plain = reqwest::Client::new().get(url.replace("https", "http")).send().await;
    assert!(plain.is_err());
}
