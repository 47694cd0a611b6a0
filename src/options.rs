//! The options of the client.

use crate::constants::{API_VERSION, ENTRA_SCOPE};
use azure_core::{fmt::SafeDebug, http::ClientOptions, time::Duration};

/// The default of [`CommunicationIdentityClientOptions::timeout`].
const TIMEOUT: Option<Duration> = if cfg!(feature = "tokio") {
    Some(Duration::minutes(2))
} else {
    None
};

/// The default of [`CommunicationIdentityClientOptions::max_retry_after`].
const MAX_RETRY_AFTER: Duration = Duration::minutes(1);

/// Options for a [`CommunicationIdentityClient`](crate::CommunicationIdentityClient).
///
/// # Examples
///
/// ```
/// use azure_communication_identity::CommunicationIdentityClientOptions;
///
/// let options = CommunicationIdentityClientOptions {
///     api_version: "2025-06-30".to_owned(),
///     ..Default::default()
/// };
/// ```
#[derive(Clone, SafeDebug)]
pub struct CommunicationIdentityClientOptions {
    /// The version of the service's REST API. Default: `2026-09-23`, the newest stable one.
    ///
    /// The client logs one warning when a response no longer lists the version among those that the service supports.
    pub api_version: String,
    /// The scope that [`new`](crate::CommunicationIdentityClient::new) asks its token credential for. Default:
    /// `https://communication.azure.com//.default`, of Azure's public cloud. The two slashes are right: the audience
    /// ends with one. For another cloud, set the scope of that cloud: it does not follow from `client_options.cloud`.
    pub entra_scope: String,
    /// Retries the creation of a user even if it may already have been executed. Default: `false`.
    ///
    /// The service cannot tell a repeated creation from a new one, and it has no list of users, so a retry can leave a
    /// user behind that is never found again. By default a creation is retried only if it was certainly not executed:
    ///
    /// * no connection was established;
    /// * the response was 429;
    /// * the response was 503 with the service's own error in its body. A gateway's 503, such as a page of HTML, can follow a
    ///   request that the service has executed.
    ///
    /// `true` retries it like the other operations, as the Python, JavaScript, .NET and Java clients do.
    pub retry_uncertain_creation: bool,
    /// The longest that an operation may take in all, with its attempts and the waits between them. An operation that takes
    /// longer fails with an error of kind `Io`. `None` sets no bound. Default: 2 minutes, which is more than `azure_core`'s
    /// own retries take of a service that responds at once (81 seconds).
    ///
    /// The timer is that of `azure_core`'s async runtime. With this crate's feature `tokio`, an operation outside a tokio
    /// runtime has no timer, and so no bound. The tokio runtime must have its time driver enabled (`enable_time`):
    /// without it, the timer panics. Without the feature the default is `None`, because `azure_core`'s own timer is a thread
    /// that sleeps for the whole time, one for each call; set a bound if you have set a runtime of your own. If another crate
    /// turns on `azure_core`'s feature `tokio`, leave this crate's on as well: a timer outside a tokio runtime panics.
    pub timeout: Option<Duration>,
    /// The longest wait that the service may ask for by `Retry-After`. Default: 1 minute; the service counts requests over
    /// 30 seconds.
    ///
    /// `azure_core` waits as long as a 429 or a 503 asks. If that is longer than this, or than what is left of `timeout`, the
    /// operation fails at once with the service's response, and
    /// [`CommunicationError::retry_after`](crate::CommunicationError::retry_after) is the wait. A wait that comes with
    /// another status is in the error, and does not delay the retries.
    pub max_retry_after: Duration,
    /// Corrects the date of signatures by the service's clock when the service refuses it. Default: `true`.
    ///
    /// The service accepts a signature only if its date is right to 5 minutes. When it refuses one for that, the client
    /// reads the service's time from the response, adds the difference to the machine's clock, up to 24 hours, and sends the
    /// request once more. If the service then accepts the signature, all clones of the client keep the difference, and a
    /// `tracing` event at level WARN reports it; otherwise it is dropped. Applies to access keys; Entra tokens carry no date
    /// of the client's.
    pub correct_clock_skew: bool,
    /// The options of all clients of Azure services: retries, transport, policies, tracing, logging.
    ///
    /// Without a transport, the client creates the one of [`default_transport`](crate::default_transport).
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
