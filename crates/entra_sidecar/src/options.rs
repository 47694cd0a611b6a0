//! The options of the client.

use azure_core::{
    fmt::SafeDebug,
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions},
    time::Duration,
};

/// The default of [`SidecarClientOptions::timeout`].
const TIMEOUT: Option<Duration> = if cfg!(feature = "tokio") {
    Some(Duration::seconds(30))
} else {
    None
};

/// The default of [`SidecarClientOptions::max_response_len`].
const MAX_RESPONSE_LEN: usize = 16 * 1024 * 1024;

/// The default number of retries. Microsoft's client for Python makes as many.
const MAX_RETRIES: u32 = 3;

/// Options for a [`SidecarClient`](crate::SidecarClient).
///
/// # Examples
///
/// ```
/// use azure_core::time::Duration;
/// use entra_sidecar::SidecarClientOptions;
///
/// let options = SidecarClientOptions {
///     timeout: Some(Duration::seconds(10)),
///     ..Default::default()
/// };
/// ```
#[derive(Clone, SafeDebug)]
pub struct SidecarClientOptions {
    /// Accepts a sidecar on any host. Default: `false`, which accepts `localhost` and loopback and private addresses.
    ///
    /// Set it for a name in your own network, such as that of a container. The tokens of callers are sent there: use https if
    /// others can listen.
    pub allow_any_host: bool,
    /// The longest that an operation may take in all, with its attempts and the waits between them. An operation that takes
    /// longer fails with an error of kind `Io`. `None` sets no bound. Default: 30 seconds.
    ///
    /// The timer is that of `azure_core`'s async runtime. With this crate's feature `tokio`, an operation outside a tokio
    /// runtime has no bound. Without the feature the default is `None`, because `azure_core`'s own timer is a thread that
    /// sleeps for the whole time, one for each call; set a bound if you have set a runtime of your own.
    pub timeout: Option<Duration>,
    /// The longest response that is read, in bytes. A longer one is an error. The response of
    /// [`call_downstream_api`](crate::SidecarClient::call_downstream_api) holds that of the API. Default: 16 MiB.
    pub max_response_len: usize,
    /// The options of all clients of Azure services: retries, transport, policies, tracing, logging. Default: those of
    /// `azure_core`, but with 3 retries instead of 8.
    ///
    /// Without a transport, the client creates one with the settings of `azure_core`'s own, with connections for each tokio
    /// runtime. For a host that is accepted without `allow_any_host`, it ignores the proxies of the environment, which would
    /// see the tokens of callers.
    ///
    /// `ClientOptions::default()` has 8 retries again: to set one of its options, change the `client_options` of
    /// `SidecarClientOptions::default()`, or set `retry` as well.
    ///
    /// Requests that only read are retried, and calls of downstream APIs in the name of a caller whose verb is idempotent:
    /// GET, HEAD, PUT and DELETE. Any other call is sent once; `retry` does not apply to it.
    pub client_options: ClientOptions,
}

impl Default for SidecarClientOptions {
    fn default() -> Self {
        Self {
            allow_any_host: false,
            timeout: TIMEOUT,
            max_response_len: MAX_RESPONSE_LEN,
            client_options: ClientOptions {
                retry: RetryOptions::exponential(ExponentialRetryOptions {
                    max_retries: MAX_RETRIES,
                    ..Default::default()
                }),
                ..Default::default()
            },
        }
    }
}
