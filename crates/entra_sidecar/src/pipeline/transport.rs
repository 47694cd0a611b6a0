//! The transport to the sidecar.

use crate::{base_url::is_near, client::SidecarClientOptions};
use azure_core::{
    Result,
    http::{ClientOptions, Transport, Url},
};

/// The options for core's pipeline. Where they have no transport, core's own is used for a sidecar that may be anywhere, and
/// one that passes over proxies for a sidecar nearby.
pub(super) fn client_options(base_url: &Url, options: &SidecarClientOptions) -> Result<ClientOptions> {
    let mut client_options = options.client_options.clone();
    let is_cores = cfg!(feature = "reqwest") && !is_near(base_url);
    if client_options.transport.is_none() && !is_cores {
        client_options.transport = Some(direct()?);
    }
    Ok(client_options)
}

/// A transport that goes to the sidecar directly, whatever proxies the environment names: core's own would show them the
/// tokens of callers, and none of them finds this machine's loopback.
#[cfg(feature = "reqwest")]
fn direct() -> Result<Transport> {
    use azure_core::{Error, error::ErrorKind};
    use std::{sync::Arc, time::Duration};

    let client = reqwest::Client::builder()
        .connect_timeout(Duration::from_secs(5))
        // As core's own.
        .read_timeout(Duration::from_secs(60))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| Error::with_error(ErrorKind::Other, error, "there is no HTTP client for the sidecar"))?;
    Ok(Transport::new(Arc::new(client)))
}

#[cfg(not(feature = "reqwest"))]
fn direct() -> Result<Transport> {
    Err(crate::error::invalid_argument(
        "there is no HTTP transport: set client_options.transport, or turn this crate's feature `reqwest` on",
    ))
}
