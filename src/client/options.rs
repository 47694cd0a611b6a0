//! The options of the client.

use crate::service::{API_VERSION, ENTRA_SCOPE};
use azure_core::{fmt::SafeDebug, http::ClientOptions};

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
    /// What all clients of Azure services have in common: retries, transport, policies, tracing, logging.
    pub client_options: ClientOptions,
}

impl Default for CommunicationIdentityClientOptions {
    fn default() -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            entra_scope: ENTRA_SCOPE.to_owned(),
            retry_uncertain_creation: false,
            client_options: ClientOptions::default(),
        }
    }
}
