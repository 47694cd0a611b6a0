//! The options of credentials.

use crate::{models::CommunicationAccessToken, options::CommunicationIdentityClientOptions};
use azure_core::{fmt::SafeDebug, http::ClientOptions, time::Duration};

/// The scope of the official clients: all that the user has consented to.
const DEFAULT_ENTRA_SCOPE: &str = "https://communication.azure.com/clients/.default";

/// Options for a [`CommunicationTokenCredential`](crate::CommunicationTokenCredential) that refreshes its token.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::CommunicationTokenCredentialOptions;
///
/// let options = CommunicationTokenCredentialOptions {
///     refresh_proactively: true,
///     ..Default::default()
/// };
/// ```
#[derive(Clone, Default, SafeDebug)]
pub struct CommunicationTokenCredentialOptions {
    /// The first token. Default: none, so that it comes from the refresher.
    pub initial_token: Option<CommunicationAccessToken>,
    /// The lifetime of the tokens that [`for_user`](crate::CommunicationTokenCredential::for_user) asks the service for: a
    /// whole number of minutes from 1 hour to 24 hours. Default: the service's, 24 hours.
    pub token_expires_in: Option<Duration>,
    /// Refreshes the token in the background, ten minutes before it expires, even if no caller asks for it. Default:
    /// `false`, as in the official clients.
    ///
    /// Set it where a caller must never wait for a token, also after hours without use. It needs an async runtime that lasts:
    /// the work is done by a task on the runtime that the credential is created in.
    pub refresh_proactively: bool,
}

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
    /// The scopes of the Entra token. They also select the token that it is exchanged for:
    ///
    /// * `https://communication.azure.com/clients/…`: the token of an Entra user (a preview of the service);
    /// * `https://auth.msft.communication.azure.com/…` or `https://auth.msft.communication.azure.us/…`: the token of a
    ///   Teams user who calls by Teams Phone extensibility.
    ///
    /// Default: `https://communication.azure.com/clients/.default`.
    pub scopes: Vec<String>,
    /// The longest that an exchange may take in all, with its attempts and the waits between them, as
    /// [`CommunicationIdentityClientOptions::timeout`](crate::CommunicationIdentityClientOptions::timeout) for the client's
    /// operations. It does not bound the Entra credential, which has options of its own. Default: 2 minutes.
    pub timeout: Option<Duration>,
    /// The longest wait that the service may ask for, as
    /// [`CommunicationIdentityClientOptions::max_retry_after`](crate::CommunicationIdentityClientOptions::max_retry_after).
    /// Default: 1 minute.
    pub max_retry_after: Duration,
    /// The options of all clients of Azure services: retries, transport, policies, tracing, logging.
    ///
    /// Without a transport, the credential creates one for itself. Share one among the credentials of many users: see
    /// [`default_transport`](crate::default_transport).
    pub client_options: ClientOptions,
}

impl Default for EntraCommunicationTokenCredentialOptions {
    fn default() -> Self {
        let defaults = CommunicationIdentityClientOptions::default();
        Self {
            scopes: vec![DEFAULT_ENTRA_SCOPE.to_owned()],
            timeout: defaults.timeout,
            max_retry_after: defaults.max_retry_after,
            client_options: defaults.client_options,
        }
    }
}
