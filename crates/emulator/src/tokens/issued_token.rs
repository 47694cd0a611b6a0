//! Access tokens of the service, read back to find their status.

use crate::{
    assigned_user::Access,
    identity_id::IdentityId,
    tokens::{Jwt, SigningKey, number},
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
    User {
        id: IdentityId,
        serial: u64,
    },
    /// A user whom the assignment with this number admitted.
    AssignedUser {
        access: Access,
        assignment: u64,
    },
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
            let number = number::from_trailing_whitespace(token.payload())?;
            match Access::of_skype_id(&claims.skypeid) {
                Some(access) => Holder::AssignedUser {
                    access,
                    assignment: number,
                },
                None => Holder::User {
                    id: IdentityId::parse_skype_id(&claims.skypeid)?,
                    serial: number,
                },
            }
        };
        Some(Self {
            holder,
            resource_id: claims.resource_id,
            exp: claims.exp,
        })
    }
}
