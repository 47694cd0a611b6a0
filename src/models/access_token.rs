//! The token that a user's chat or calling client presents.

use super::{
    json::{decode, required},
    token_claims::UnverifiedTokenClaims,
};
use azure_core::{
    Result,
    credentials::{AccessToken, Secret},
    http::{DeserializeWith, JsonFormat, response::ResponseBody},
    time::OffsetDateTime,
};
use serde::Deserialize;

/// An access token of a user, for the user's chat or calling client.
///
/// `Debug` does not show the token. It is not `Serialize`: hand it to a client by
/// [`token.secret()`](Secret::secret), over TLS only.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// # let (emulator, client) = start().await?;
/// # let user = client.create_user(None).await?.into_model()?;
/// use azure_communication_identity::CommunicationTokenScope;
///
/// let token = client
///     .get_token(&user, &[CommunicationTokenScope::Chat], None)
///     .await?
///     .into_model()?;
/// println!("expires on {}", token.expires_on);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommunicationAccessToken {
    /// The token: opaque to all but the service.
    pub token: Secret,
    /// When the token expires, as exact as the service says it.
    pub expires_on: OffsetDateTime,
}

impl CommunicationAccessToken {
    /// Puts a token and its expiry together, as a test or a cache of your own may need.
    ///
    /// # Arguments
    ///
    /// * `token` - The token.
    /// * `expires_on` - When it expires.
    #[must_use]
    pub fn new(token: impl Into<Secret>, expires_on: OffsetDateTime) -> Self {
        Self {
            token: token.into(),
            expires_on,
        }
    }

    /// Reads a token's expiry from the token, for a source that gives no more than the token.
    ///
    /// The token's signature is not checked, and that a token is a JSON Web Token is no promise of the service: where
    /// the expiry is at hand, pass it to [`new`](Self::new).
    ///
    /// # Arguments
    ///
    /// * `token` - The token, a JSON Web Token whose claim `exp` says when it expires.
    ///
    /// # Errors
    ///
    /// The token is not a JSON Web Token, or has no `exp`. The error does not show it.
    ///
    /// # Examples
    ///
    /// ```
    /// use azure_communication_identity::CommunicationAccessToken;
    ///
    /// # fn main() -> azure_core::Result<()> {
    /// # let received = "eyJhbGciOiJub25lIn0.eyJleHAiOjIwNTEyMjI0MDB9.c2ln";
    /// let token = CommunicationAccessToken::from_jwt(received)?;
    /// assert_eq!(token.expires_on.unix_timestamp(), 2_051_222_400);
    /// # Ok(()) }
    /// ```
    pub fn from_jwt(token: impl Into<Secret>) -> Result<Self> {
        let token = token.into();
        let expires_on = UnverifiedTokenClaims::decode(token.secret())?.expires_on;
        Ok(Self { token, expires_on })
    }
}

impl From<CommunicationAccessToken> for AccessToken {
    fn from(token: CommunicationAccessToken) -> Self {
        Self::new(token.token, token.expires_on)
    }
}

impl DeserializeWith<JsonFormat> for CommunicationAccessToken {
    fn deserialize_with(body: ResponseBody) -> Result<Self> {
        decode::<AccessTokenBody>(&body)?.into_model("")
    }
}

/// A token on the wire: an answer of its own, or part of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessTokenBody {
    token: Option<Secret>,
    #[serde(default, with = "azure_core::time::rfc3339::option")]
    expires_on: Option<OffsetDateTime>,
}

impl AccessTokenBody {
    /// Checks that all is there; an empty token is none. `parent` is where in the answer the token stands, for the error.
    pub(super) fn into_model(self, parent: &str) -> Result<CommunicationAccessToken> {
        let token = self.token.filter(|token| !token.secret().is_empty());
        Ok(CommunicationAccessToken {
            token: required(token, parent, "token")?,
            expires_on: required(self.expires_on, parent, "expiresOn")?,
        })
    }
}
