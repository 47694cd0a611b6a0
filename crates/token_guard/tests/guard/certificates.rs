//! A machine without CA certificates.

use crate::setup::AUDIENCE;
use std::{
    env::current_exe,
    process::{Command, Stdio},
};
use token_guard::TokenGuard;

/// Certificates are looked for where the environment of a process says.
#[test]
fn missing_certificates_are_told_by_the_builder() {
    let child = Command::new(current_exe().unwrap())
        .args(["--exact", "certificates::without_certificates", "--ignored"])
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
}

#[test]
#[ignore = "needs an environment without certificates"]
fn without_certificates() {
    for issuer in ["https://issuer.contoso.com", "http://localhost:3001"] {
        let builder = || TokenGuard::builder(issuer, [AUDIENCE]);
        let error = builder().build().unwrap_err().to_string();
        assert!(error.starts_with("the HTTP client cannot be created ("), "{error}");
        assert!(error.contains("No CA certificates were loaded"), "{error}");
        let remedy =
            ": install the CA certificates of the system, such as Debian's ca-certificates, or set http_client";
        assert!(error.ends_with(remedy), "{error}");

        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        assert!(builder().http_client(client).build().is_ok());
        let error = builder().leeway(std::time::Duration::MAX).build().unwrap_err();
        assert!(
            error.to_string().starts_with("the leeway"),
            "other faults come first: {error}"
        );
    }
}
