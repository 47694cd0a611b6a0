//! The options of a credential that exchanges Entra tokens.

use crate::client::CommunicationIdentityClientOptions;
use azure_core::{fmt::SafeDebug, http::ClientOptions, time::Duration};

/// The scope of the official clients: all that the user has consented to.
const DEFAULT_SCOPE: &str = "https://communication.azure.com/clients/.default";

/// Options for
/// [`CommunicationTokenCredential::with_entra_credential`](crate::CommunicationTokenCredential::with_entra_credential).
///
/// # Examples
///
/// ```
/// use azure_communication_identity::EntraCommunicationTokenCredentialOptions;
///
/// let teams_phone = EntraCommunicationTokenCredentialOptions {
///     scopes: vec!["https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls".to_owned()],
///     ..Default::default()
/// };
/// ```
#[derive(Clone, SafeDebug)]
pub struct EntraCommunicationTokenCredentialOptions {
    /// The scopes that the Entra credential is asked for. They also say which token comes back:
    ///
    /// * `https://communication.azure.com/clients/…`: the token of an Entra user (a preview of the service);
    /// * `https://auth.msft.communication.azure.com/…` or `https://auth.msft.communication.azure.us/…`: the token of a
    ///   Teams user who calls by Teams Phone extensibility.
    ///
    /// Default: `https://communication.azure.com/clients/.default`.
    pub scopes: Vec<String>,
    /// The longest that an exchange may take in all, with its tries and the waits between them, as
    /// [`CommunicationIdentityClientOptions::timeout`](crate::CommunicationIdentityClientOptions::timeout) for the client's
    /// operations. It does not bound the Entra credential, which has options of its own. Default: 2 minutes.
    pub timeout: Option<Duration>,
    /// The longest wait that the service may ask for, as
    /// [`CommunicationIdentityClientOptions::max_retry_after`](crate::CommunicationIdentityClientOptions::max_retry_after).
    /// Default: 1 minute.
    pub max_retry_after: Duration,
    /// What all clients of Azure services have in common: retries, transport, policies, tracing, logging.
    pub client_options: ClientOptions,
}

impl Default for EntraCommunicationTokenCredentialOptions {
    fn default() -> Self {
        let defaults = CommunicationIdentityClientOptions::default();
        Self {
            scopes: vec![DEFAULT_SCOPE.to_owned()],
            timeout: defaults.timeout,
            max_retry_after: defaults.max_retry_after,
            client_options: defaults.client_options,
        }
    }
}
