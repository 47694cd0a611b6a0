//! The options of the client.

use crate::service::{API_VERSION, ENTRA_SCOPE};
use azure_core::{fmt::SafeDebug, http::ClientOptions, time::Duration};

/// The default bound of an operation.
const TIMEOUT: Option<Duration> = if cfg!(feature = "tokio") {
    Some(Duration::minutes(2))
} else {
    None
};

/// The default bound of a wait that the service asks for.
const MAX_RETRY_AFTER: Duration = Duration::minutes(1);

/// Options for a [`CommunicationIdentityClient`](crate::CommunicationIdentityClient).
///
/// # Examples
///
/// ```
/// use azure_communication_identity::CommunicationIdentityClientOptions;
///
/// let options = CommunicationIdentityClientOptions {
///     api_version: "2023-10-01".to_owned(),
///     ..Default::default()
/// };
/// ```
#[derive(Clone, SafeDebug)]
pub struct CommunicationIdentityClientOptions {
    /// The version of the service's REST API. Default: `2025-06-30`, the newest stable one.
    pub api_version: String,
    /// The scope that [`new`](crate::CommunicationIdentityClient::new) asks its token credential for. Default:
    /// `https://communication.azure.com//.default`, of Azure's public cloud. The two slashes are right: the audience
    /// ends with one. For another cloud, set the scope of that cloud: `client_options.cloud` does not tell it.
    pub entra_scope: String,
    /// Whether the creation of a user is sent again although it may already have been executed. Default: `false`.
    ///
    /// The service cannot tell a repeated creation from a new one, and it has no list of users, so a repetition can
    /// leave a user behind that nobody knows. By default a creation is sent again only if it was certainly not
    /// executed: no connection was established, or the service answered 429 or 503. `true` retries it like the other
    /// operations, as the Python, JavaScript, .NET and Java clients do.
    pub retry_uncertain_creation: bool,
    /// The longest that an operation may take in all, with its tries and the waits between them. An operation that takes
    /// longer is given up, with an error of kind `Io`. `None` sets no bound. Default: 2 minutes, which is more than core's
    /// own retries of a service that answers at once take (81 seconds).
    ///
    /// It takes the timer of azure_core's async runtime to keep the bound. With the feature `tokio`, there is none outside a
    /// tokio runtime. Without the feature the default is `None`, because core's own timer is a thread that sleeps for the
    /// whole time, one for each call: set a bound if you have set a runtime of your own.
    pub timeout: Option<Duration>,
    /// The longest wait that the service may ask for by `Retry-After`. If it asks for longer, or for longer than is left of
    /// `timeout`, the operation fails at once with the service's answer, and
    /// [`CommunicationError::retry_after`](crate::CommunicationError::retry_after) is the wait. Nothing is ever sent before
    /// the time. Default: 1 minute; the service counts requests over 30 seconds.
    pub max_retry_after: Duration,
    /// Whether signatures follow the service's clock when it refuses their date. Default: `true`.
    ///
    /// The service accepts a signature only if its date is right to 5 minutes. When it refuses one for that, the client
    /// reads the service's time from the answer, adds the difference to the machine's clock, up to 24 hours, and tries once
    /// more. All clones of the client share the difference, and a `tracing` event at level WARN tells it. Applies to access
    /// keys; Entra tokens carry no date of the client's.
    pub correct_clock_skew: bool,
    /// What all clients of Azure services have in common: retries, transport, policies, tracing, logging.
    pub client_options: ClientOptions,
}

impl Default for CommunicationIdentityClientOptions {
    fn default() -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            entra_scope: ENTRA_SCOPE.to_owned(),
            retry_uncertain_creation: false,
            timeout: TIMEOUT,
            max_retry_after: MAX_RETRY_AFTER,
            correct_clock_skew: true,
            client_options: ClientOptions::default(),
        }
    }
}
