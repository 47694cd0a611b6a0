//! Claims of Entra ID tokens that are exchanged for access tokens of the service.

use serde::Deserialize;
use uuid::Uuid;

/// The claims of a Teams user's token that the exchange uses.
#[derive(Deserialize)]
pub(crate) struct TeamsUserClaims {
    pub(crate) appid: Uuid,
    pub(crate) oid: Uuid,
    pub(crate) tid: Uuid,
    pub(crate) uti: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

/// The claims of a token that a user exchanges for an access token of the service.
#[derive(Clone, Deserialize)]
pub(crate) struct EntraUserClaims {
    /// The application; tokens of version 2.0 have another name for it.
    #[serde(alias = "azp")]
    pub(crate) appid: Uuid,
    pub(crate) oid: Uuid,
    pub(crate) tid: Uuid,
    pub(crate) exp: i64,
    /// The permissions, separated by spaces.
    #[serde(default)]
    scp: String,
    /// The groups of which the user is a member.
    #[serde(default)]
    pub(crate) groups: Vec<Uuid>,
}

impl EntraUserClaims {
    pub(crate) fn permissions(&self) -> impl Iterator<Item = &str> {
        self.scp.split_ascii_whitespace()
    }
}
