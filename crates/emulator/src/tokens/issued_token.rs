//! Access tokens of the service, read back to find their status.

use crate::{
    auth::KeyNumber,
    identities::{Access, IdentityId},
    tokens::{Payload, UserNumbers},
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
        numbers: UserNumbers,
    },
    /// A user whom the assignment with this number admitted.
    AssignedUser {
        access: Access,
        assignment: u64,
    },
    TeamsUser {
        key: KeyNumber,
    },
}

impl IssuedToken {
    /// Reads the claims of a token; `None` if they are not those of an access token.
    pub(crate) fn read(payload: &Payload) -> Option<Self> {
        #[derive(Deserialize)]
        struct Claims {
            skypeid: String,
            exp: i64,
            #[serde(rename = "resourceId")]
            resource_id: Uuid,
        }

        let claims: Claims = payload.claims()?;
        let holder = if claims.skypeid.starts_with("orgid:") {
            let [key] = payload.numbers()?;
            Holder::TeamsUser { key: KeyNumber(key) }
        } else if let Some(access) = Access::of_skype_id(&claims.skypeid) {
            let [assignment] = payload.numbers()?;
            Holder::AssignedUser { access, assignment }
        } else {
            Holder::User {
                id: IdentityId::parse_skype_id(&claims.skypeid)?,
                numbers: UserNumbers::read(payload)?,
            }
        };
        Some(Self {
            holder,
            resource_id: claims.resource_id,
            exp: claims.exp,
        })
    }
}
