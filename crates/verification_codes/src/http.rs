//! HTTP clients, of which azure_core's own panics where none can be built.

use azure_core::http::{ClientOptions, Transport};
use reqwest::{Client, ClientBuilder, redirect::Policy};
use std::{error::Error, iter::successors, sync::Arc, time::Duration};
use url::Url;

/// Starts a client for what is at `url`. This machine is reached directly, without the proxies of the environment.
pub(crate) fn builder(url: &Url) -> ClientBuilder {
    let builder = Client::builder()
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_mins(1))
        .redirect(Policy::none());
    if is_loopback(url) { builder.no_proxy() } else { builder }
}

/// Builds a client, or says what is missing.
pub(crate) fn build(builder: ClientBuilder) -> Result<Client, String> {
    builder.build().map_err(|error| {
        let reasons: Vec<_> = successors(error.source(), |&cause| cause.source())
            .map(ToString::to_string)
            .collect();
        let reasons = reasons.join(": ");
        format!(
            "the HTTP client cannot be created ({reasons}): install the CA certificates of the system, such as Debian's \
             ca-certificates"
        )
    })
}

/// Returns options for a client of Azure's for what is at `url`.
pub(crate) fn options(url: &Url) -> Result<ClientOptions, String> {
    Ok(ClientOptions {
        transport: Some(Transport::new(Arc::new(build(builder(url))?))),
        ..ClientOptions::default()
    })
}

/// Returns whether a URL is of this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}
