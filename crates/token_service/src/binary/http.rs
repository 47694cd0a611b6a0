//! HTTP clients.

use azure_core::http::Transport;
use reqwest::{Client, ClientBuilder, redirect::Policy};
use std::{error::Error, iter::successors, sync::Arc, time::Duration};

/// Builds a client with the settings of azure_core's own, which panics without CA certificates. Loopback is reached
/// directly, without the proxies of the environment.
pub(crate) fn client(on_loopback: bool) -> Result<Client, Box<dyn Error>> {
    let builder = builder();
    build(if on_loopback { builder.no_proxy() } else { builder })
}

/// Builds a client that trusts no certificate, for http on loopback and for checks that send nothing.
pub(crate) fn plain() -> Result<Client, Box<dyn Error>> {
    build(builder().no_proxy().tls_certs_only([]))
}

/// Wraps a client for Azure's SDK.
pub(crate) fn transport(client: Client) -> Transport {
    Transport::new(Arc::new(client))
}

fn builder() -> ClientBuilder {
    Client::builder()
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_mins(1))
        .redirect(Policy::none())
}

fn build(builder: ClientBuilder) -> Result<Client, Box<dyn Error>> {
    builder.build().map_err(|error| {
        let reasons: Vec<_> = successors(error.source(), |&cause| cause.source())
            .map(ToString::to_string)
            .collect();
        let reasons = reasons.join(": ");
        format!(
            "the HTTP client cannot be created ({reasons}): install the CA certificates of the system, such as Debian's \
             ca-certificates"
        )
        .into()
    })
}
