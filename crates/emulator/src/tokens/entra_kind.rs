//! Purposes of Entra ID tokens.

use crate::tokens::entra_check::{ENTRA_USER_AUDIENCE, SERVICE_AUDIENCE, TEAMS_AUDIENCE};
use serde::Deserialize;

/// The purpose of an Entra ID token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum EntraTokenKind {
    /// Authenticates requests to the service, as `Authorization: Bearer`.
    #[default]
    Service,
    /// Identifies a Teams user, to be exchanged for an access token of the service.
    TeamsUser,
    /// Authenticates a user of Teams Phone extensibility at the exchange for an access token of the service.
    TeamsExtensionUser,
    /// Authenticates a user of Entra ID at the exchange for an access token of the service.
    EntraUser,
}

impl EntraTokenKind {
    /// The audience of tokens of this kind.
    pub(super) fn audience(self) -> &'static str {
        match self {
            Self::Service => SERVICE_AUDIENCE,
            Self::TeamsUser | Self::TeamsExtensionUser => TEAMS_AUDIENCE,
            Self::EntraUser => ENTRA_USER_AUDIENCE,
        }
    }

    /// The permissions of a user, which an application has none of.
    pub(super) fn scopes(self) -> Option<&'static str> {
        match self {
            Self::Service => None,
            Self::TeamsUser => Some("Teams.ManageCalls Teams.ManageChats"),
            Self::TeamsExtensionUser => Some("TeamsExtension.ManageCalls"),
            Self::EntraUser => Some("Chat VoIP"),
        }
    }
}
