//! The agent that a token is acquired for.

use crate::error::invalid_argument;
use azure_core::{Result, Uuid};

/// An agent identity of Entra ID, for which the sidecar acquires a token.
///
/// The sidecar knows three kinds, and takes one for another without a word where their parameters are mixed; here they
/// cannot be. `Debug` shows no name of a user.
///
/// Agents are ignored by a sidecar whose configuration does not allow overrides on the route, as it does not on the
/// unauthenticated ones by default: check whom the token is for, as
/// [`SidecarCredential`](crate::SidecarCredential) does.
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
    /// The agent itself, or, with a caller's token, the agent in the name of the caller.
    Autonomous {
        /// The application id of the agent identity.
        agent_id: Uuid,
    },
    /// The agent as its own user, who is named by a user principal name.
    UserByName {
        /// The application id of the agent identity.
        agent_id: Uuid,
        /// The user principal name of the agent's user.
        username: String,
    },
    /// The agent as its own user, who is named by an object id.
    UserById {
        /// The application id of the agent identity.
        agent_id: Uuid,
        /// The object id of the agent's user.
        user_id: Uuid,
    },
}

impl Agent {
    /// The application id of the agent identity.
    #[must_use]
    pub fn agent_id(&self) -> Uuid {
        match self {
            Self::Autonomous { agent_id } | Self::UserByName { agent_id, .. } | Self::UserById { agent_id, .. } => {
                *agent_id
            }
        }
    }

    /// The parameters of the query. What the sidecar would pass over is refused: it would take the agent for another.
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

impl std::fmt::Debug for Agent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
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
