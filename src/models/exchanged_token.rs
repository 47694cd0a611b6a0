//! The result of the exchange of an Entra token.

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

/// The access token that the service gave in exchange for an Entra token, and the identity that it is for.
///
/// # Examples
///
/// A fake in a unit test of your own returns one:
///
/// ```
/// use azure_communication_identity::{CommunicationAccessToken, CommunicationIdentifier, ExchangedAccessToken};
/// use azure_core::time::{Duration, OffsetDateTime};
///
/// let identity = CommunicationIdentifier::from_raw_id("8:acs:resource_tenant_user");
/// let in_an_hour = OffsetDateTime::now_utc() + Duration::HOUR;
/// let exchanged = ExchangedAccessToken::new(identity, CommunicationAccessToken::new("token", in_an_hour));
/// assert_eq!(exchanged.identity.raw_id(), "8:acs:resource_tenant_user");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExchangedAccessToken {
    /// The identity of the bearer in Communication Services.
    pub identity: CommunicationIdentifier,
    /// The token, which expires when the Entra token does.
    pub access_token: CommunicationAccessToken,
}

impl ExchangedAccessToken {
    /// Creates a result, as a unit test of your own may need.
    ///
    /// # Arguments
    ///
    /// * `identity` - The identity of the bearer.
    /// * `access_token` - The token.
    #[must_use]
    pub fn new(identity: CommunicationIdentifier, access_token: CommunicationAccessToken) -> Self {
        Self { identity, access_token }
    }
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
