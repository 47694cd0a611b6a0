//! The token that an Entra token was exchanged for.

use super::{
    access_token::{AccessTokenBody, CommunicationAccessToken},
    json::{decode, required},
};
use crate::identifier::CommunicationIdentifier;
use azure_core::{
    Result,
    http::{DeserializeWith, JsonFormat, response::ResponseBody},
};
use serde::Deserialize;

/// An access token of Communication Services that the service gave in exchange for an Entra token, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExchangedAccessToken {
    /// Who the bearer is in Communication Services.
    pub identity: CommunicationIdentifier,
    /// The token, which expires when the Entra token does.
    pub access_token: CommunicationAccessToken,
}

impl DeserializeWith<JsonFormat> for ExchangedAccessToken {
    fn deserialize_with(body: ResponseBody) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            identity: Option<IdentityBody>,
            access_token: Option<AccessTokenBody>,
        }

        #[derive(Deserialize)]
        struct IdentityBody {
            id: Option<String>,
        }

        let body: Body = decode(&body)?;
        let id = required(required(body.identity, "", "identity")?.id, "identity", "id")?;
        Ok(Self {
            identity: CommunicationIdentifier::from_raw_id(&id),
            access_token: required(body.access_token, "", "accessToken")?.into_model("accessToken")?,
        })
    }
}
