//! HTTP clients that reach loopback, whatever proxies the environment names.

use azure_core::http::Transport;
use std::sync::Arc;

/// Creates an HTTP client that trusts no certificate, with its own connections.
///
/// It has the settings of azure_core's own, but neither proxies nor timeouts, so that only the timeout of a call ends it.
pub(crate) fn http_client() -> reqwest::Client {
    trusting(&[])
}

/// Creates one that trusts these authorities, in PEM.
pub(crate) fn trusting(ca_pem: &[&str]) -> reqwest::Client {
    let certificates = ca_pem
        .iter()
        .map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).unwrap());
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(certificates)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Creates the transport of one.
pub(crate) fn transport(http_client: reqwest::Client) -> Transport {
    Transport::new(Arc::new(http_client))
}
