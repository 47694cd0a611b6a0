//! Users that the service created, alone or with a token.

use super::{
    json::{decode, required},
    tokens::{AccessTokenBody, CommunicationAccessToken},
};
use crate::identifiers::CommunicationUserIdentifier;
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{DeserializeWith, Format, JsonFormat, response::ResponseBody},
};
use client_core::error::find;
use serde::{
    Deserialize, Deserializer as _,
    de::{DeserializeOwned, IgnoredAny, MapAccess, Visitor},
};
use std::fmt;

/// A new user and the user's access token.
///
/// # Examples
///
/// A fake in your unit test returns one:
///
/// ```
/// use azure_communication_identity::{CommunicationAccessToken, CommunicationUserAndToken};
/// use azure_core::time::{Duration, OffsetDateTime};
///
/// # fn main() -> azure_core::Result<()> {
/// let in_an_hour = OffsetDateTime::now_utc() + Duration::HOUR;
/// let token = CommunicationAccessToken::new("token", in_an_hour);
/// let created = CommunicationUserAndToken::new("8:acs:resource_user".parse()?, token);
/// assert_eq!(created.user.as_str(), "8:acs:resource_user");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommunicationUserAndToken {
    /// The user.
    pub user: CommunicationUserIdentifier,
    /// The user's token.
    pub access_token: CommunicationAccessToken,
}

impl CommunicationUserAndToken {
    /// Creates a result, for your unit tests.
    ///
    /// # Arguments
    ///
    /// * `user` - The user.
    /// * `access_token` - The user's token.
    #[must_use]
    pub fn new(user: CommunicationUserIdentifier, access_token: CommunicationAccessToken) -> Self {
        Self { user, access_token }
    }
}

/// The format of a response that wraps a user's ID: `{"identity":{"id":"8:acs:…"}}`.
///
/// Names the response of [`create_user`](crate::CommunicationIdentityClient::create_user), whose
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
        const PARENT: &str = "identity";
        let body: UserBody = decode(&body)?;
        required(required(body.identity, "", PARENT)?.id, PARENT, "id")
    }
}

impl DeserializeWith<JsonFormat> for CommunicationUserAndToken {
    fn deserialize_with(body: ResponseBody) -> Result<Self> {
        match token(&body) {
            Ok(access_token) => {
                let user = DeserializeWith::<IdentityFormat>::deserialize_with(body)?;
                Ok(Self { user, access_token })
            }
            Err(cause) => Err(match salvage_user(&body) {
                Some(user) => without_token(user, &cause),
                None => cause,
            }),
        }
    }
}

fn token(body: &[u8]) -> Result<CommunicationAccessToken> {
    const PARENT: &str = "accessToken";
    let body: TokenBody = decode(body)?;
    required(body.access_token, "", PARENT)?.into_model(PARENT)
}

fn without_token(user: CommunicationUserIdentifier, cause: &Error) -> Error {
    let error = UserWithoutToken::new(user);
    let text = format!("{error} ({cause})");
    Error::with_error(ErrorKind::DataConversion, error, text)
}

/// The part of a response that names the user.
#[derive(Deserialize)]
struct UserBody {
    identity: Option<IdentityBody>,
}

#[derive(Deserialize)]
struct IdentityBody {
    id: Option<CommunicationUserIdentifier>,
}

/// The part of a response that holds the token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TokenBody {
    access_token: Option<AccessTokenBody>,
}

/// Finds the user in a response that is malformed, or cut off, in another place.
fn salvage_user(body: &[u8]) -> Option<CommunicationUserIdentifier> {
    struct UserVisitor<'a>(&'a mut Option<CommunicationUserIdentifier>);

    impl<'de> Visitor<'de> for UserVisitor<'_> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a response with an identity")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> std::result::Result<(), A::Error> {
            while let Some(name) = fields.next_key::<String>()? {
                if name == "identity" {
                    *self.0 = fields.next_value::<IdentityBody>()?.id;
                } else {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
            Ok(())
        }
    }

    let mut user = None;
    // The fault of the response is known already; here it only ends the search.
    let _ = serde_json::Deserializer::from_slice(body).deserialize_map(UserVisitor(&mut user));
    user
}

/// The error for a user who was created, but whose token the response does not hold.
///
/// [`into_model`](azure_core::http::Response::into_model) returns it as the source of its error for such a response to
/// [`create_user_and_token`][create], so that the user is not lost: ask for a token with
/// [`get_token`](crate::CommunicationIdentityClient::get_token), or delete the user.
///
/// [create]: crate::CommunicationIdentityClient::create_user_and_token
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserWithoutToken {
    /// The user that was created.
    pub user: CommunicationUserIdentifier,
}

impl UserWithoutToken {
    /// Creates an error, for your unit tests.
    ///
    /// # Arguments
    ///
    /// * `user` - The user that was created.
    #[must_use]
    pub fn new(user: CommunicationUserIdentifier) -> Self {
        Self { user }
    }

    /// Finds the user in an error, also in one that has been wrapped with more context.
    ///
    /// # Arguments
    ///
    /// * `error` - An error returned by this crate.
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        find(error)
    }
}

impl fmt::Display for UserWithoutToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the service created the user {}, but its response holds no usable token; get one with get_token, or delete \
             the user",
            self.user
        )
    }
}

impl std::error::Error for UserWithoutToken {}
