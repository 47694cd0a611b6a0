//! Access tokens of the service, read back to find their status.

use crate::{
    identity_id::IdentityId,
    tokens::{Jwt, SigningKey, serial},
};
use serde::Deserialize;
use uuid::Uuid;

/// What decides the status of a token that the emulator issued.
pub(crate) struct IssuedToken {
    pub(crate) holder: Holder,
    pub(crate) resource_id: Uuid,
    pub(crate) exp: i64,
}

/// Whose token it is.
pub(crate) enum Holder {
    User { id: IdentityId, serial: u64 },
    TeamsUser,
}

impl IssuedToken {
    /// Reads a token that `key` signed; `None` for any other.
    pub(crate) fn read(token: &Jwt<'_>, key: &SigningKey) -> Option<Self> {
        #[derive(Deserialize)]
        struct Claims {
            skypeid: String,
            exp: i64,
            #[serde(rename = "resourceId")]
            resource_id: Uuid,
        }

        if !token.is_signed_by(key) {
            return None;
        }
        let claims: Claims = token.claims()?;
        let holder = if claims.skypeid.starts_with("orgid:") {
            Holder::TeamsUser
        } else {
            Holder::User {
                id: IdentityId::parse_skype_id(&claims.skypeid)?,
                serial: serial::from_trailing_whitespace(token.payload())?,
            }
        };
        Some(Self {
            holder,
            resource_id: claims.resource_id,
            exp: claims.exp,
        })
    }
}
