//! Clients on a machine without CA certificates.

use azure_core::http::Transport;
use entra_sidecar::{SidecarClient, SidecarClientOptions};
use std::{
    env::current_exe,
    error::Error,
    process::{Command, Stdio},
    sync::Arc,
};

fn options() -> SidecarClientOptions {
    SidecarClientOptions {
        allow_any_host: true,
        ..Default::default()
    }
}

/// The environment of a process names the place of the certificates.
#[test]
fn the_constructor_reports_missing_certificates() {
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
    assert!(SidecarClient::new("http://localhost:5000", Some(options())).is_ok());
    for base_url in [
        "https://localhost:5001",
        "https://sidecar.contoso.com",
        "http://sidecar.contoso.com",
    ] {
        let error = SidecarClient::new(base_url, Some(options())).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("No CA certificates were loaded"), "{text}");
        assert!(
            text.contains("ca-certificates") && text.contains("client_options.transport"),
            "{text}"
        );
        assert!(error.source().is_some(), "{error:?}");

        let mut options = options();
        let client = reqwest::Client::builder().tls_certs_only([]).build().unwrap();
        options.client_options.transport = Some(Transport::new(Arc::new(client)));
        assert!(SidecarClient::new(base_url, Some(options)).is_ok());
    }
}
