//! The exchange of a Teams user's Entra token.

use azure_core::{credentials::Secret, fmt::SafeDebug};

/// The Entra token of a Teams user, and the ids that it was issued for.
///
/// The fields have names because the two ids are easily swapped. [How to obtain them][teams].
///
/// [teams]: https://learn.microsoft.com/azure/communication-services/quickstarts/manage-teams-identity
///
/// # Examples
///
/// ```
/// use azure_communication_identity::TeamsUserTokenRequest;
///
/// # let entra_token = String::from("eyJ…");
/// let request = TeamsUserTokenRequest {
///     token: entra_token.into(),
///     client_id: "1d7e5dfb-7f3a-4a25-8bd8-9d2bd0e1a1b5".to_owned(),
///     user_object_id: "45ab2481-1c1c-4005-be24-0ffb879b1130".to_owned(),
/// };
/// assert_eq!(format!("{request:?}"), "TeamsUserTokenRequest { .. }");
/// ```
#[derive(Clone, SafeDebug)]
pub struct TeamsUserTokenRequest {
    /// The user's Entra access token, for the scopes `https://auth.msft.communication.azure.com/Teams.ManageCalls` and
    /// `https://auth.msft.communication.azure.com/Teams.ManageChats`. The access token that comes back expires with it.
    pub token: Secret,
    /// The client id of the Entra application that the token was issued to (its `appid` claim).
    pub client_id: String,
    /// The object id of the Entra user that the token was issued for (its `oid` claim); not the tenant's id.
    pub user_object_id: String,
}
