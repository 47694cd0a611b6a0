//! Options for the client.

use azure_core::{
    fmt::SafeDebug,
    http::{ClientOptions, ExponentialRetryOptions, RetryOptions},
    time::Duration,
};

/// The default bound of an operation.
const TIMEOUT: Option<Duration> = if cfg!(feature = "tokio") {
    Some(Duration::seconds(30))
} else {
    None
};

/// The default bound of an answer, in bytes.
const MAX_ANSWER_LEN: usize = 16 * 1024 * 1024;

/// The default number of retries: as many as Microsoft's own client for Python makes.
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
    /// Whether the sidecar may be anywhere. Default: `false`, which accepts loopback and private addresses and
    /// `localhost`. Set it for a name of your own network, such as that of a container. The tokens of callers go there: use
    /// https wherever others can listen.
    pub allow_any_host: bool,
    /// The longest that an operation may take in all, with its tries and the waits between them. An operation that takes
    /// longer is given up, with an error of kind `Io`. `None` sets no bound. Default: 30 seconds.
    ///
    /// It takes the timer of azure_core's async runtime to keep the bound. With the feature `tokio`, there is none outside
    /// a tokio runtime. Without the feature the default is `None`, because core's own timer is a thread that sleeps for the
    /// whole time, one for each call: set a bound if you have set a runtime of your own.
    pub timeout: Option<Duration>,
    /// The longest answer that is read, in bytes; a longer one is an error. It holds what a downstream API answered.
    /// Default: 16 MiB.
    pub max_answer_len: usize,
    /// The options that all clients of Azure services have in common: retries, transport, policies, tracing, logging. Default: core's,
    /// but with 3 retries in place of 8.
    ///
    /// If there is no transport, the client builds one with the settings of core's own. To a sidecar that is accepted without
    /// `allow_any_host`, it passes over the proxies of the environment: they would see the tokens of callers.
    ///
    /// `ClientOptions::default()` has core's 8 retries again: where you set one of its options, set `retry` too, or begin
    /// with the `client_options` of `SidecarClientOptions::default()`.
    ///
    /// Requests that only read are retried, and calls of downstream APIs in the name of a caller whose verb is idempotent
    /// (GET, HEAD, PUT and DELETE). Any other call is sent once, whatever this says.
    pub client_options: ClientOptions,
}

impl Default for SidecarClientOptions {
    fn default() -> Self {
        Self {
            allow_any_host: false,
            timeout: TIMEOUT,
            max_answer_len: MAX_ANSWER_LEN,
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
