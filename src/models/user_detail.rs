//! What the service knows of a user.

use super::json::{decode, required};
use crate::identifier::CommunicationUserIdentifier;
use azure_core::{
    Result,
    http::{DeserializeWith, JsonFormat, response::ResponseBody},
    time::OffsetDateTime,
};
use serde::Deserialize;

/// What the service knows of a user. A preview feature of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommunicationUserDetail {
    /// The user.
    pub user: CommunicationUserIdentifier,
    /// The custom id that the user was created with.
    pub custom_id: Option<String>,
    /// When the user was last issued a token.
    pub last_token_issued_at: Option<OffsetDateTime>,
}

impl DeserializeWith<JsonFormat> for CommunicationUserDetail {
    fn deserialize_with(body: ResponseBody) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            id: Option<CommunicationUserIdentifier>,
            custom_id: Option<String>,
            #[serde(default, with = "azure_core::time::rfc3339::option")]
            last_token_issued_at: Option<OffsetDateTime>,
        }

        let body: Body = decode(&body)?;
        Ok(Self {
            user: required(body.id, "", "id")?,
            custom_id: body.custom_id,
            last_token_issued_at: body.last_token_issued_at,
        })
    }
}
