//! HTTP clients with certificates and proxies of the tests' own, whatever the environment names.
//!
//! They are what the default transport is made of: with the feature `hyper`, the transport over hyper; reqwest otherwise.

use azure_core::http::HttpClient;
use std::sync::Arc;

/// Creates an HTTP client that trusts no certificate, with its own connections.
pub(crate) fn http_client() -> Arc<dyn HttpClient> {
    trusting(&[])
}

/// Creates one that trusts these authorities, in PEM.
pub(crate) fn trusting(ca_pem: &[&str]) -> Arc<dyn HttpClient> {
    create(ca_pem, None)
}

/// Creates one that trusts an authority, in PEM, and sends through a proxy, by its URL.
pub(crate) fn through_proxy(ca_pem: &str, proxy: &str) -> Arc<dyn HttpClient> {
    create(&[ca_pem], Some(proxy))
}

/// Creates a client with the settings of azure_core's own, but without timeouts, so that only the timeout of a call ends it.
#[cfg(not(feature = "hyper"))]
fn create(ca_pem: &[&str], proxy: Option<&str>) -> Arc<dyn HttpClient> {
    let certificates = ca_pem
        .iter()
        .map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).unwrap());
    let builder = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only(certificates)
        .redirect(reqwest::redirect::Policy::none());
    let builder = match proxy {
        Some(url) => builder.proxy(reqwest::Proxy::all(url).unwrap()),
        None => builder,
    };
    Arc::new(builder.build().unwrap())
}

#[cfg(feature = "hyper")]
fn create(ca_pem: &[&str], proxy: Option<&str>) -> Arc<dyn HttpClient> {
    use client_core::call::HyperTransport;
    use hyper_util::client::proxy::matcher::Matcher;
    use rustls::{
        ClientConfig, RootCertStore,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, pem::PemObject as _},
    };

    let mut authorities = RootCertStore::empty();
    for pem in ca_pem {
        authorities
            .add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap())
            .unwrap();
    }
    let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let proxies = Matcher::builder().all(proxy.unwrap_or_default()).build();
    Arc::new(HyperTransport::new(tls, proxies))
}
