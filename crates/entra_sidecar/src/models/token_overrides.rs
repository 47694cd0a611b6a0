//! What a request may change of how the sidecar acquires a token.

use crate::error::invalid_argument;
use azure_core::{Result, Uuid, credentials::Secret, fmt::SafeDebug};

/// What to change of the configuration by which the sidecar acquires a token (`optionsOverride`).
///
/// The sidecar ignores all of it, without a word, on routes whose overrides its configuration does not allow
/// (`Sidecar:AllowOverrides`): by default on those that end with `Unauthenticated`. A token may therefore be for something
/// else than was asked for.
///
/// Any override also takes the configured verb, media types and `ForceRefresh` back to their defaults, unless the request
/// names them: this client always sends the verb.
///
/// # Examples
///
/// ```
/// use entra_sidecar::TokenOverrides;
///
/// let overrides = TokenOverrides {
///     scopes: vec!["https://graph.microsoft.com/User.Read".to_owned()],
///     ..Default::default()
/// };
/// ```
#[derive(Clone, Default, SafeDebug)]
pub struct TokenOverrides {
    /// The scopes to ask for, in place of those configured. None keeps the configured ones.
    pub scopes: Vec<String>,
    /// Whether to acquire a token of the application, not of the caller. `false` keeps what is configured; it cannot turn
    /// the configuration's `true` off.
    pub request_app_token: bool,
    /// The tenant to acquire the token in: its id or one of its domains.
    pub tenant: Option<String>,
    /// Whether to pass over the sidecar's cache of tokens.
    pub force_refresh: bool,
    /// A claims challenge of the downstream API, as JSON.
    pub claims: Option<String>,
    /// An id by which the acquisition is found in the logs of the sidecar and of Entra ID.
    pub correlation_id: Option<Uuid>,
    /// The path of a federated managed identity.
    pub fmi_path: Option<String>,
    /// The key of a session that goes on longer than the caller's token is valid.
    pub long_running_web_api_session_key: Option<Secret>,
    /// The public key that the token is to be bound to, for a `PoP` header. Such a header is good for one verb and path:
    /// name them with `request` in the options of
    /// [`authorization_header`](crate::SidecarClient::authorization_header), which binds it to a GET without.
    pub pop_public_key: Option<String>,
    /// The client id of the user-assigned managed identity to acquire the token with.
    pub managed_identity_client_id: Option<String>,
}

impl TokenOverrides {
    /// The parameters of the query, without those at their defaults. What the sidecar would pass over is refused: it would
    /// use what is configured.
    pub(crate) fn parameters(&self) -> Result<Vec<(&'static str, String)>> {
        let flag = |set: bool| set.then(|| "true".to_owned());
        if self.correlation_id.is_some_and(|id| id.is_nil()) {
            return Err(invalid_argument(
                "the override correlation_id is the empty GUID, which the sidecar would pass over; pass another, or None",
            ));
        }
        let scopes = self.scopes.iter();
        let mut parameters: Vec<_> = scopes.map(|scope| ("optionsOverride.Scopes", scope.clone())).collect();
        let others = [
            ("optionsOverride.RequestAppToken", flag(self.request_app_token)),
            ("optionsOverride.AcquireTokenOptions.Tenant", self.tenant.clone()),
            (
                "optionsOverride.AcquireTokenOptions.ForceRefresh",
                flag(self.force_refresh),
            ),
            ("optionsOverride.AcquireTokenOptions.Claims", self.claims.clone()),
            (
                "optionsOverride.AcquireTokenOptions.CorrelationId",
                self.correlation_id.map(|id| id.to_string()),
            ),
            ("optionsOverride.AcquireTokenOptions.FmiPath", self.fmi_path.clone()),
            (
                "optionsOverride.AcquireTokenOptions.LongRunningWebApiSessionKey",
                self.long_running_web_api_session_key
                    .as_ref()
                    .map(|key| key.secret().to_owned()),
            ),
            (
                "optionsOverride.AcquireTokenOptions.PopPublicKey",
                self.pop_public_key.clone(),
            ),
            (
                "optionsOverride.AcquireTokenOptions.ManagedIdentity.UserAssignedClientId",
                self.managed_identity_client_id.clone(),
            ),
        ];
        parameters.extend(others.into_iter().filter_map(|(name, value)| Some((name, value?))));
        if let Some((name, _)) = parameters.iter().find(|(_, value)| value.trim().is_empty()) {
            return Err(invalid_argument(format!(
                "{name} is empty, which the sidecar would pass over; pass a value, or leave it out"
            )));
        }
        Ok(parameters)
    }
}
