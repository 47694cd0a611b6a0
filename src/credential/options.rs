//! The options of a credential that refreshes its token.

use crate::models::CommunicationAccessToken;
use azure_core::{fmt::SafeDebug, time::Duration};

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
    /// A token to begin with. Default: none, so the first one comes from the refresher.
    pub initial_token: Option<CommunicationAccessToken>,
    /// The lifetime of the tokens that [`for_user`](crate::CommunicationTokenCredential::for_user) asks the service for: a
    /// whole number of minutes from 1 hour to 24 hours. Default: the service's, 24 hours.
    pub token_expires_in: Option<Duration>,
    /// Whether the token is refreshed in the background, ten minutes before it expires, even if no caller asks for it.
    /// Default: `false`, as in the official clients: the credential does nothing unless it is asked.
    ///
    /// Set it where a caller must never wait for a token, or where one must be at hand after hours without use. It needs an
    /// async runtime that lasts: a task of the one that the credential is created in does the work.
    pub refresh_proactively: bool,
}
