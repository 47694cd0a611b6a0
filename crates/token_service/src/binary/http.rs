//! HTTP clients.

#[cfg(feature = "local")]
use azure_core::{Error, error::ErrorKind};
use azure_core::{Result, http::Transport};
use client_core::call::transport::http_client;
#[cfg(feature = "local")]
use reqwest::Certificate;
use reqwest::Client;
use std::sync::Arc;

/// Builds a client. Loopback is reached directly, without the proxies of the environment.
pub(crate) fn client(on_loopback: bool) -> Result<Client> {
    http_client(|builder| if on_loopback { builder.no_proxy() } else { builder })
}

/// Builds a client that trusts no certificate, for http on loopback and for checks that send nothing.
pub(crate) fn plain() -> Result<Client> {
    http_client(|builder| builder.no_proxy().tls_certs_only([]))
}

/// Builds a client for loopback that trusts one certificate, in PEM.
#[cfg(feature = "local")]
pub(crate) fn trusting(certificate: &str) -> Result<Client> {
    let certificate = Certificate::from_pem(certificate.as_bytes())
        .map_err(|error| Error::with_error(ErrorKind::Other, error, "the certificate is not one"))?;
    http_client(|builder| builder.no_proxy().tls_certs_only([certificate]))
}

/// Wraps a client for Azure's SDK.
pub(crate) fn transport(client: Client) -> Transport {
    Transport::new(Arc::new(client))
}
