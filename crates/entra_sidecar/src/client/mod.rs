//! The client of the sidecar.

mod operations;
mod options;

pub use options::SidecarClientOptions;

use crate::{base_url::parse_base_url, pipeline::SidecarPipeline};
use azure_core::{Result, http::Url, tracing};

/// A client of a *Microsoft Entra SDK for AgentID* sidecar, which acquires tokens for downstream APIs and calls them.
///
/// Create one client and keep it: it is cheap to clone, its clones share connections, and all of its operations can run
/// at the same time. Every future that it returns is `Send` and can be dropped at any point.
///
/// # Errors
///
/// An operation fails with an [`azure_core::Error`] whose source is a [`SidecarError`](crate::SidecarError), which tells
/// the kinds apart; or, if an argument was refused before anything was sent, with one of kind `Other` and without source.
/// What a downstream API answers is no error, whatever its status.
///
/// A transport, a policy or a retry policy of your own may add errors of other kinds.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// use entra_sidecar::{DownstreamRequest, SidecarClient};
///
/// let client = SidecarClient::new("http://localhost:5000", None)?;
/// # let (sidecar, client, caller) = start().await?;
/// let response = client
///     .call_downstream_api("Graph", &caller, DownstreamRequest::get("me"), None)
///     .await?;
/// assert!(response.status().is_success());
/// # Ok(()) }
/// ```
#[tracing::client]
#[derive(Clone, Debug)]
pub struct SidecarClient {
    base_url: Url,
    pipeline: SidecarPipeline,
}

impl SidecarClient {
    /// Creates a client. Nothing is sent.
    ///
    /// # Arguments
    ///
    /// * `base_url` - The sidecar's address, such as `http://localhost:5000`. It listens beside the application, so other
    ///   hosts than loopback and private addresses are refused unless
    ///   [`allow_any_host`](SidecarClientOptions::allow_any_host) is set.
    /// * `options` - Options for the client.
    ///
    /// # Errors
    ///
    /// The base URL is not as above, or has a user name, query or fragment; an option is not valid; or the options have no
    /// transport and none can be built, because https takes CA certificates and the system has none. The error does not show
    /// the base URL.
    ///
    /// # Examples
    ///
    /// ```
    /// use entra_sidecar::SidecarClient;
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// let client = SidecarClient::new("http://localhost:5000", None)?;
    /// assert_eq!(client.base_url().as_str(), "http://localhost:5000/");
    /// # Ok(()) }
    /// ```
    pub fn new(base_url: &str, options: Option<SidecarClientOptions>) -> Result<Self> {
        let options = options.unwrap_or_default();
        let base_url = parse_base_url(base_url, options.allow_any_host)?;
        let tracer_provider = &options.client_options.instrumentation.tracer_provider;
        Ok(Self {
            // The sidecar belongs to no resource provider, so its spans are in no namespace.
            tracer: tracer_provider
                .as_ref()
                .map(|provider| provider.get_tracer(None, env!("CARGO_PKG_NAME"), Some(env!("CARGO_PKG_VERSION")))),
            pipeline: SidecarPipeline::new(&base_url, &options)?,
            base_url,
        })
    }

    /// The sidecar's address.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.base_url
    }
}
