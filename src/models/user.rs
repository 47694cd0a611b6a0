//! A user that the service made, alone or with a token.

use super::{
    access_token::{AccessTokenBody, CommunicationAccessToken},
    json::{decode, required},
};
use crate::{error::UserWithoutToken, identifier::CommunicationUserIdentifier};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{DeserializeWith, Format, JsonFormat, response::ResponseBody},
};
use serde::{Deserialize, de::DeserializeOwned};

/// A new user and an access token of theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommunicationUserAndToken {
    /// The user.
    pub user: CommunicationUserIdentifier,
    /// The user's token.
    pub access_token: CommunicationAccessToken,
}

/// The format of an answer that wraps a user's id: `{"identity":{"id":"8:acs:…"}}`.
///
/// Names the answer of [`create_user`](crate::CommunicationIdentityClient::create_user), whose
/// [`into_model`](azure_core::http::Response::into_model) is a [`CommunicationUserIdentifier`]; on its own that type
/// is read from a plain string.
#[derive(Clone, Debug)]
pub struct IdentityFormat;

impl Format for IdentityFormat {
    fn deserialize<T: DeserializeOwned, S: AsRef<[u8]>>(body: S) -> Result<T> {
        decode(body.as_ref())
    }
}

impl DeserializeWith<IdentityFormat> for CommunicationUserIdentifier {
    fn deserialize_with(body: ResponseBody) -> Result<Self> {
        decode::<UserBody>(&body)?.into_model()
    }
}

impl DeserializeWith<JsonFormat> for CommunicationUserAndToken {
    fn deserialize_with(body: ResponseBody) -> Result<Self> {
        let user = decode::<UserBody>(&body)?.into_model()?;
        match token(&body) {
            Ok(access_token) => Ok(Self { user, access_token }),
            Err(cause) => {
                let without_token = UserWithoutToken { user };
                let text = format!("{without_token} ({cause})");
                Err(Error::with_error(ErrorKind::DataConversion, without_token, text))
            }
        }
    }
}

fn token(body: &[u8]) -> Result<CommunicationAccessToken> {
    const PARENT: &str = "accessToken";
    let body: TokenBody = decode(body)?;
    required(body.access_token, "", PARENT)?.into_model(PARENT)
}

/// The part of an answer that names the user.
#[derive(Deserialize)]
struct UserBody {
    identity: Option<IdentityBody>,
}

#[derive(Deserialize)]
struct IdentityBody {
    id: Option<CommunicationUserIdentifier>,
}

impl UserBody {
    fn into_model(self) -> Result<CommunicationUserIdentifier> {
        const PARENT: &str = "identity";
        required(required(self.identity, "", PARENT)?.id, PARENT, "id")
    }
}

/// The part of an answer that holds the token, read by itself so that a fault in it does not lose the user.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenBody {
    access_token: Option<AccessTokenBody>,
}
