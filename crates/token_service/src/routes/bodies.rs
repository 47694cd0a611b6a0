//! Response bodies of the API.

use crate::directory::UserToken;
use azure_communication_identity::{CommunicationAccessToken, CommunicationUserIdentifier, ExchangedAccessToken};
use serde::{Serialize, Serializer};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::ToSchema;

/// A user's identity.
#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct UserBody {
    /// The raw id of the user's Azure Communication Services identity.
    #[serde(rename = "acsUserIdentity")]
    #[schema(example = "8:acs:11111111-1111-1111-1111-111111111111_00000006-19e0-2727-80f5-8b3a0d003502")]
    identity: String,
}

/// A user's token.
#[derive(Serialize, ToSchema)]
#[schema(as = UserToken)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserTokenBody {
    /// The access token.
    token: String,
    /// The expiry of the token.
    #[serde(serialize_with = "rfc3339")]
    expires_on: OffsetDateTime,
    user: TokenHolder,
}

/// The user of a token.
#[derive(Serialize, ToSchema)]
pub(super) struct TokenHolder {
    /// The raw id of the user's Azure Communication Services identity.
    #[serde(rename = "communicationUserId")]
    #[schema(example = "8:acs:11111111-1111-1111-1111-111111111111_00000006-19e0-2727-80f5-8b3a0d003502")]
    identity: String,
}

/// The token of a Teams user.
#[derive(Serialize, ToSchema)]
#[schema(as = TeamsToken)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamsTokenBody {
    /// The access token.
    token: String,
    /// The expiry of the token.
    #[serde(serialize_with = "rfc3339")]
    expires_on: OffsetDateTime,
}

/// A token of Teams Phone.
#[derive(Serialize, ToSchema)]
#[schema(as = TeamsPhoneToken)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamsPhoneTokenBody {
    /// The access token.
    token: String,
    /// The expiry of the token, which is that of the Entra token.
    #[serde(serialize_with = "rfc3339")]
    expires_on: OffsetDateTime,
    user: TeamsPhoneUser,
}

/// The user of a token of Teams Phone.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct TeamsPhoneUser {
    /// The raw id, made of the ids of the resource, the tenant and the user.
    #[schema(
        example = "8:acs:11111111-1111-1111-1111-111111111111_87d349ed-44d7-43e1-9a83-5f2406dee5bd_e5b7f628-ea94-4fdc-b3d9-1af1fe231111"
    )]
    raw_id: String,
}

impl From<&CommunicationUserIdentifier> for UserBody {
    fn from(identity: &CommunicationUserIdentifier) -> Self {
        Self {
            identity: identity.to_string(),
        }
    }
}

impl From<UserToken> for UserTokenBody {
    fn from(UserToken { identity, token }: UserToken) -> Self {
        Self {
            token: token.token.secret().to_owned(),
            expires_on: token.expires_on,
            user: TokenHolder {
                identity: identity.to_string(),
            },
        }
    }
}

impl From<CommunicationAccessToken> for TeamsTokenBody {
    fn from(token: CommunicationAccessToken) -> Self {
        Self {
            token: token.token.secret().to_owned(),
            expires_on: token.expires_on,
        }
    }
}

impl From<ExchangedAccessToken> for TeamsPhoneTokenBody {
    fn from(exchanged: ExchangedAccessToken) -> Self {
        Self {
            token: exchanged.access_token.token.secret().to_owned(),
            expires_on: exchanged.access_token.expires_on,
            user: TeamsPhoneUser {
                raw_id: exchanged.identity.raw_id().to_owned(),
            },
        }
    }
}

fn rfc3339<S: Serializer>(time: &OffsetDateTime, serializer: S) -> Result<S::Ok, S::Error> {
    let text = time.format(&Rfc3339).map_err(serde::ser::Error::custom)?;
    serializer.serialize_str(&text)
}
