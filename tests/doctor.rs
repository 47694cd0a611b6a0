//! The sample `doctor` finds no fault with an emulator, and names each fault.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(
    clippy::duplicate_mod,
    reason = "the sample and the support of the tests both include that of the samples"
)]

#[path = "../samples/doctor.rs"]
mod doctor;
mod support;

use acs_identity_emulator::{Emulator, EntraTokenRequest, Fault};
use azure_core::{error::ErrorKind, http::Transport, time::Duration};
use doctor::{Credential, Finding, Verdict, examine};
use std::sync::Arc;
use support::{
    credentials::FixedCredential,
    fixtures::{API_VERSION, KEY},
    http_client::trusting,
    raw_server::RawServer,
};

async fn entra(emulator: &Emulator) -> Credential {
    let token = emulator.mint_entra_token(&EntraTokenRequest::service()).await.unwrap();
    Credential::Entra(
        emulator.https_endpoint().to_owned(),
        Arc::new(FixedCredential::new(token.token)),
    )
}

/// A transport that trusts the emulator, or no certificate.
fn transport(trusted: Option<&Emulator>) -> Transport {
    let authorities: Vec<_> = trusted.map(Emulator::ca_pem).into_iter().collect();
    Transport::new(trusting(&authorities))
}

/// Returns the check that fails; the others succeed, or are skipped.
fn only_failure(findings: &[Finding]) -> (&'static str, String) {
    assert_eq!(findings.len(), 6);
    let mut failed = findings.iter().filter(|finding| finding.failed());
    let (first, second) = (failed.next().unwrap(), failed.next());
    assert!(second.is_none(), "{first}\n{}", second.unwrap());
    (first.check, first.to_string())
}

#[tokio::test]
async fn an_emulator_passes_every_check() {
    let emulator = Emulator::builder().start().await.unwrap();
    let transport = transport(Some(&emulator));
    for credential in [
        Credential::ConnectionString(emulator.connection_string()),
        Credential::ConnectionString(emulator.https_connection_string()),
        entra(&emulator).await,
    ] {
        for finding in examine(&credential, &transport, false).await {
            assert!(matches!(finding.verdict, Verdict::Right(_)), "{finding}");
        }
    }
    assert_eq!(emulator.identity_count(), 0);
}

#[tokio::test]
async fn a_string_that_cannot_be_parsed_is_named() {
    let transport = transport(None);
    let without_token = || Arc::new(FixedCredential::failing(ErrorKind::Credential));
    for (credential, check) in [
        (
            Credential::ConnectionString("endpoint=https://a".to_owned()),
            "connection string",
        ),
        (Credential::ConnectionString(String::new()), "connection string"),
        (
            Credential::Entra("http://localhost".to_owned(), without_token()),
            "endpoint",
        ),
    ] {
        let (found, text) = only_failure(&examine(&credential, &transport, false).await);
        assert_eq!(found, check);
        assert!(text.contains("Copy it from the resource's Keys page"), "{text}");
    }
}

/// Returns the connection string of a host without an address. A label of a name has 63 characters at most, so no resolver
/// asks the network for this one.
fn unknown_host() -> String {
    format!(
        "endpoint=https://{}.communication.azure.com/;accesskey={KEY}",
        "a".repeat(64)
    )
}

#[tokio::test]
async fn a_host_that_cannot_be_reached_is_named() {
    let emulator = Emulator::builder().start().await.unwrap();
    let closed = format!("endpoint=http://127.0.0.1:1/;accesskey={KEY}");
    let untrusted = emulator.https_connection_string();
    for (connection_string, check, remedy) in [
        (unknown_host(), "DNS", "this machine's DNS settings"),
        (closed, "TLS", "the proxies in HTTPS_PROXY"),
        (untrusted, "TLS", "add its CA to this system's certificates"),
    ] {
        let credential = Credential::ConnectionString(connection_string);
        let (found, text) = only_failure(&examine(&credential, &transport(None), false).await);
        assert_eq!(found, check);
        assert!(text.contains(remedy), "{text}");
    }
}

#[tokio::test]
async fn an_unknown_name_is_left_to_a_proxy() {
    let credential = Credential::ConnectionString(unknown_host());
    let findings = examine(&credential, &transport(None), true).await;
    let dns = findings.iter().find(|finding| finding.check == "DNS").unwrap();
    assert!(dns.to_string().contains("a proxy is set"), "{dns}");
    // The connection is attempted all the same.
    assert_eq!(only_failure(&findings).0, "TLS");
}

/// A proxy writes another date than the service.
#[tokio::test]
async fn an_accepted_signature_proves_the_clock() {
    let gateway = RawServer::start(|mut connection| async move {
        while connection.read_request().await?.is_some() {
            let body = r#"{"error":{"code":"IdentityNotOwned","message":"Not of this resource."}}"#;
            let head = "HTTP/1.1 401 Unauthorized\r\ndate: Sat, 01 Aug 2026 00:00:00 GMT\r\ncontent-length";
            connection
                .write(&format!("{head}: {}\r\n\r\n{body}", body.len()))
                .await?;
        }
        Ok(())
    })
    .await;
    let credential = Credential::ConnectionString(format!("endpoint={};accesskey={KEY}", gateway.endpoint));
    let findings = examine(&credential, &transport(None), false).await;
    assert!(findings.iter().all(|finding| !finding.failed()));
    let clock = findings.iter().find(|finding| finding.check == "clock").unwrap();
    assert!(clock.to_string().contains("a proxy may have written"), "{clock}");
}

#[tokio::test]
async fn a_clock_that_is_off_is_named() {
    let emulator = Emulator::builder().start().await.unwrap();
    for (minutes, direction) in [(10, "behind"), (-10, "ahead of")] {
        emulator.set_clock_offset(Duration::minutes(minutes));
        let credential = Credential::ConnectionString(emulator.connection_string());
        let (found, text) = only_failure(&examine(&credential, &transport(None), false).await);
        assert_eq!(found, "clock");
        assert!(text.contains(direction) && text.contains("Set the clock"), "{text}");
    }
}

#[tokio::test]
async fn a_credential_that_is_refused_is_named() {
    let emulator = Emulator::builder().start().await.unwrap();
    let transport = transport(Some(&emulator));
    let endpoint = || emulator.https_endpoint().to_owned();
    let wrong_key = format!("endpoint={};accesskey={KEY}", emulator.endpoint());
    let other_token = Arc::new(FixedCredential::new("a.b.c"));
    for (credential, check, remedy) in [
        (
            Credential::ConnectionString(wrong_key),
            "access key",
            "a current key of this resource",
        ),
        (
            Credential::Entra(endpoint(), other_token),
            "role",
            "has a role on this Communication",
        ),
        (
            Credential::Entra(endpoint(), Arc::new(FixedCredential::failing(ErrorKind::Credential))),
            "role",
            "the variables that the token credential reads",
        ),
    ] {
        let (found, text) = only_failure(&examine(&credential, &transport, false).await);
        assert_eq!(found, check);
        assert!(text.contains(remedy), "{text}");
    }

    // A principal without a role.
    let credential = entra(&emulator).await;
    emulator.inject(Fault::status(403)).unwrap();
    let (found, text) = only_failure(&examine(&credential, &transport, false).await);
    assert_eq!(found, "role");
    assert!(
        text.contains("403 Forbidden") && text.contains("a new assignment takes some minutes"),
        "{text}"
    );
}

#[tokio::test]
async fn a_version_that_is_withdrawn_is_named() {
    let emulator = Emulator::builder().start().await.unwrap();
    emulator.withdraw_version(API_VERSION).unwrap();
    let credential = Credential::ConnectionString(emulator.connection_string());
    let (found, text) = only_failure(&examine(&credential, &transport(None), false).await);
    assert_eq!(found, "api-version");
    assert!(text.contains("2025-06-30"), "{text}");
}
