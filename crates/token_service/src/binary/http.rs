//! HTTP clients.

use azure_core::{Result, http::Transport};
use client_core::call::transport::http_client;
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

/// Wraps a client for Azure's SDK.
pub(crate) fn transport(client: Client) -> Transport {
    Transport::new(Arc::new(client))
}
