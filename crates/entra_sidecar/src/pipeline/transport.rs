//! The transport to the sidecar.

use crate::client::SidecarClientOptions;
use azure_core::{
    Result,
    http::{ClientOptions, Transport, Url},
};

/// Returns the options for core's pipeline, with a transport if they have none.
pub(super) fn client_options(base_url: &Url, options: &SidecarClientOptions) -> Result<ClientOptions> {
    let mut client_options = options.client_options.clone();
    if client_options.transport.is_none() {
        client_options.transport = Some(transport(base_url)?);
    }
    Ok(client_options)
}

/// Builds a transport with the settings of core's own, which panics where no client can be built. Like core's, it
/// decompresses what the features of reqwest allow.
///
/// A sidecar nearby is reached directly, without the proxies of the environment: they would see the tokens of callers, and
/// cannot find this machine's loopback.
#[cfg(feature = "reqwest")]
fn transport(base_url: &Url) -> Result<Transport> {
    use crate::base_url::is_near;
    use azure_core::{Error, error::ErrorKind};
    use std::{sync::Arc, time::Duration};

    let mut builder = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(20))
        .read_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none());
    if is_near(base_url) {
        builder = builder.connect_timeout(Duration::from_secs(5)).no_proxy();
        #[cfg(feature = "reqwest_rustls")]
        if base_url.scheme() == "http" {
            // Without redirects and proxies, no certificate is ever looked at.
            builder = builder.tls_certs_only([]);
        }
    }
    let client = builder.build().map_err(|error| {
        let text = "the HTTP client cannot be created: install the CA certificates of the system, such as Debian's \
                    ca-certificates, or set client_options.transport";
        Error::with_error(ErrorKind::Other, error, text)
    })?;
    Ok(Transport::new(Arc::new(client)))
}

#[cfg(not(feature = "reqwest"))]
fn transport(_base_url: &Url) -> Result<Transport> {
    Err(crate::error::invalid_argument(
        "there is no HTTP transport: set client_options.transport, or turn this crate's feature `reqwest` on",
    ))
}
