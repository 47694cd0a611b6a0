//! Clients on a machine without CA certificates.

use crate::child::{NO_CERTIFICATES, is_child};
use azure_core::http::Transport;
use entra_sidecar::{SidecarClient, SidecarClientOptions};
use std::{error::Error, sync::Arc};

fn options() -> SidecarClientOptions {
    SidecarClientOptions {
        allow_any_host: true,
        ..Default::default()
    }
}

#[test]
fn the_constructor_reports_missing_certificates() {
    if !is_child(
        "certificates::the_constructor_reports_missing_certificates",
        &NO_CERTIFICATES,
    ) {
        return;
    }
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
