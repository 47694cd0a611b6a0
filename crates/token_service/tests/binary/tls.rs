//! TLS from files.

use crate::{setup::Setup, support::http_trusting};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::{fs, path::Path};

/// Writes a new certificate and its key, and returns the certificate.
pub(crate) fn renew(directory: &Path) -> String {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(directory.join("service.pem"), cert.pem()).unwrap();
    fs::write(directory.join("service.key"), signing_key.serialize_pem()).unwrap();
    cert.pem()
}

#[tokio::test]
async fn renewed_certificate_needs_no_restart() {
    let setup = Setup::new().await;
    let first = renew(&setup.directory);
    let tls = "[tls]\ncertificate = 'service.pem'\nkey = 'service.key'";
    let mut process = setup.start(&setup.configuration("", tls)).await;
    assert!(process.text("endpoint").starts_with("https://127.0.0.1:"));
    let url = process.url("readyz");
    let ready = |certificate: &str| http_trusting(certificate).get(&url).send();
    assert_eq!(ready(&first).await.unwrap().status(), 200);
    let create = http_trusting(&first)
        .post(process.url("api/user"))
        .bearer_auth(setup.token("alice"));
    assert_eq!(create.send().await.unwrap().status(), 201);
    let in_plain_text = url.replace("https://", "http://");
    assert!(http_trusting(&first).get(in_plain_text).send().await.is_err());

    let second = renew(&setup.directory);
    assert!(ready(&second).await.is_err());
    process.signal("-HUP").await;
    process.logged("the certificate has been read again").await;
    assert_eq!(ready(&second).await.unwrap().status(), 200);
    assert!(ready(&first).await.is_err());

    fs::write(setup.directory.join("service.key"), "no key").unwrap();
    process.signal("-HUP").await;
    let line = process.logged("the certificate stays as it was").await;
    assert!(line.contains("ERROR") && line.contains("no private key"), "{line}");
    assert_eq!(ready(&second).await.unwrap().status(), 200);
}
