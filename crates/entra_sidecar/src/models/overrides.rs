//! Overrides: the agent of a request, and its changes to the acquisition of the token.

use crate::error::invalid_argument;
use azure_core::{Result, Uuid, credentials::Secret, fmt::SafeDebug};
use std::fmt;

/// An agent identity of Entra ID, for which the sidecar acquires a token.
///
/// The sidecar knows three kinds of agents. It mistakes one for another, without an error, if their parameters are mixed;
/// the variants here cannot be mixed. `Debug` omits the name of the user.
///
/// A sidecar whose configuration does not allow overrides on a route ignores agents there. By default these are the
/// unauthenticated routes. Check the token's agent, as [`SidecarCredential`](crate::SidecarCredential) does.
///
/// # Examples
///
/// ```
/// use azure_core::Uuid;
/// use entra_sidecar::Agent;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let agent_id = Uuid::parse_str("a9a8f3de-6a8d-4c52-a1c6-91f3d3ab4f10")?;
/// let agent = Agent::UserByName {
///     agent_id,
///     username: "agent@contoso.com".to_owned(),
/// };
/// assert!(!format!("{agent:?}").contains("contoso"));
/// # Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub enum Agent {
    /// The agent itself. With a caller's token, it acts in the name of the caller.
    Autonomous {
        /// The application ID of the agent identity.
        agent_id: Uuid,
    },
    /// The agent as its own user, given by a user principal name.
    UserByName {
        /// The application ID of the agent identity.
        agent_id: Uuid,
        /// The user principal name of the agent's user.
        username: String,
    },
    /// The agent as its own user, given by an object ID.
    UserById {
        /// The application ID of the agent identity.
        agent_id: Uuid,
        /// The object ID of the agent's user.
        user_id: Uuid,
    },
}

impl Agent {
    /// Returns the application ID of the agent identity.
    #[must_use]
    pub fn agent_id(&self) -> Uuid {
        match self {
            Self::Autonomous { agent_id } | Self::UserByName { agent_id, .. } | Self::UserById { agent_id, .. } => {
                *agent_id
            }
        }
    }

    /// Returns whether the agent acts in the name of the caller, and not as its own user.
    pub(crate) fn acts_for_caller(&self) -> bool {
        matches!(self, Self::Autonomous { .. })
    }

    /// Returns the parameters of the query. Values that the sidecar would ignore are refused: it would act as another agent.
    pub(crate) fn parameters(&self) -> Result<Vec<(&'static str, String)>> {
        if self.agent_id().is_nil() {
            return Err(invalid_argument(
                "the agent's agent_id is the empty GUID; pass the application id of the agent identity",
            ));
        }
        let mut parameters = vec![("AgentIdentity", self.agent_id().to_string())];
        match self {
            Self::Autonomous { .. } => {}
            Self::UserByName { username, .. } if username.trim().is_empty() => {
                return Err(invalid_argument(
                    "the agent's username is empty; pass the user principal name of the agent's user, or Agent::Autonomous",
                ));
            }
            Self::UserByName { username, .. } => parameters.push(("AgentUsername", username.clone())),
            Self::UserById { user_id, .. } if user_id.is_nil() => {
                return Err(invalid_argument(
                    "the agent's user_id is the empty GUID; pass the object id of the agent's user",
                ));
            }
            Self::UserById { user_id, .. } => parameters.push(("AgentUserId", user_id.to_string())),
        }
        Ok(parameters)
    }
}

impl fmt::Debug for Agent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Autonomous { .. } => "Autonomous",
            Self::UserByName { .. } => "UserByName",
            Self::UserById { .. } => "UserById",
        };
        f.debug_struct(kind)
            .field("agent_id", &self.agent_id())
            .finish_non_exhaustive()
    }
}

/// Overrides of the configuration by which the sidecar acquires a token (`optionsOverride`).
///
/// A sidecar ignores all of them, without an error, on routes on which its configuration does not allow overrides
/// (`Sidecar:AllowOverrides`). By default these are the routes that end with `Unauthenticated`. A token may therefore be for
/// something else than the request asked for.
///
/// Any override also resets the configured verb, media types and `ForceRefresh` to their defaults, unless the request names
/// them. This client always sends the verb.
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
    /// The scopes of the token, instead of the configured ones. An empty list keeps those.
    pub scopes: Vec<String>,
    /// Acquires a token of the application, not of the caller. `false` keeps the configured value; it cannot turn off a
    /// `true`.
    pub request_app_token: bool,
    /// The tenant of the token: its ID or one of its domains.
    pub tenant: Option<String>,
    /// Bypasses the sidecar's cache of tokens.
    pub force_refresh: bool,
    /// A claims challenge of the downstream API, as JSON.
    pub claims: Option<String>,
    /// The ID of the acquisition in the logs of the sidecar and of Entra ID.
    pub correlation_id: Option<Uuid>,
    /// The path of a federated managed identity.
    pub fmi_path: Option<String>,
    /// The key of a session that lasts longer than the caller's token is valid.
    pub long_running_web_api_session_key: Option<Secret>,
    /// The public key that the token is bound to, for a `PoP` header. Such a header is valid for one verb and path: set
    /// `request` in the options of [`authorization_header`](crate::SidecarClient::authorization_header), which otherwise
    /// binds it to a GET.
    pub pop_public_key: Option<String>,
    /// The client ID of the user-assigned managed identity that acquires the token.
    pub managed_identity_client_id: Option<String>,
}

impl TokenOverrides {
    /// Returns the parameters of the query, without defaults. Values that the sidecar would ignore are refused: the configured
    /// ones would apply.
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
