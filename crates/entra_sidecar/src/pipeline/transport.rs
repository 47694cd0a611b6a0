//! The transport to a sidecar nearby.

use azure_core::{Error, Result, error::ErrorKind, http::Transport};
use std::{sync::Arc, time::Duration};

/// How long a connection may take. The sidecar is beside the application.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the sidecar may be silent, as long as core's own transport lets a server be.
const READ_TIMEOUT: Duration = Duration::from_secs(60);

/// A transport that goes to the sidecar directly, whatever proxies the environment names: core's own would show them the
/// tokens of callers, and none of them finds this machine's loopback.
pub(super) fn direct() -> Result<Transport> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .map_err(|error| Error::with_error(ErrorKind::Other, error, "there is no HTTP client for the sidecar"))?;
    Ok(Transport::new(Arc::new(client)))
}
