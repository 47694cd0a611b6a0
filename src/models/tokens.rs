//! Access tokens: what is asked for, and what comes back.

use super::{
    claims::UnverifiedTokenClaims,
    json::{decode, required},
};
use crate::{constants::TOKEN_LIFETIME_MINUTES, error::invalid_argument, identifiers::CommunicationIdentifier};
use azure_core::{
    Result,
    credentials::{AccessToken, Secret},
    fmt::SafeDebug,
    http::{DeserializeWith, JsonFormat, response::ResponseBody},
    time::{Duration, OffsetDateTime},
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
    /// The expiry of the token, as exact as the service returns it.
    pub expires_on: OffsetDateTime,
}

impl CommunicationAccessToken {
    /// Creates an access token, for your caches and unit tests.
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

    /// Creates an access token whose expiry is read from the token itself.
    ///
    /// The token's signature is not checked, and the service does not promise that a token is a JSON Web Token: where the
    /// expiry is at hand, pass it to [`new`](Self::new).
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

    /// Decodes the claims of the token, **unverified**; see [`UnverifiedTokenClaims`].
    ///
    /// # Errors
    ///
    /// Those of [`UnverifiedTokenClaims::decode`].
    pub fn unverified_claims(&self) -> Result<UnverifiedTokenClaims> {
        UnverifiedTokenClaims::decode(self.token.secret())
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

/// A token on the wire: a response, or part of one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccessTokenBody {
    token: Option<Secret>,
    #[serde(default, with = "azure_core::time::rfc3339::option")]
    expires_on: Option<OffsetDateTime>,
}

impl AccessTokenBody {
    /// Checks that nothing is missing; an empty token is treated as absent. `parent` is the place of the token in the
    /// response, for the error.
    pub(super) fn into_model(self, parent: &str) -> Result<CommunicationAccessToken> {
        let token = self.token.filter(|token| !token.secret().is_empty());
        Ok(CommunicationAccessToken {
            token: required(token, parent, "token")?,
            expires_on: required(self.expires_on, parent, "expiresOn")?,
        })
    }
}

/// The access token that the service gave in exchange for an Entra token, and the identity that it is for.
///
/// # Examples
///
/// A fake in your unit test returns one:
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
    /// Creates a result, for your unit tests.
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

/// The Entra token of a Teams user, and the IDs that it was issued for.
///
/// The fields have names because the two IDs are easily swapped. [How to obtain them][teams].
///
/// [teams]: https://learn.microsoft.com/azure/communication-services/quickstarts/manage-teams-identity
///
/// # Examples
///
/// ```
/// use azure_communication_identity::TeamsUserTokenRequest;
///
/// # let entra_token = String::from("eyJ…");
/// let request = TeamsUserTokenRequest {
///     token: entra_token.into(),
///     client_id: "1d7e5dfb-7f3a-4a25-8bd8-9d2bd0e1a1b5".to_owned(),
///     user_object_id: "45ab2481-1c1c-4005-be24-0ffb879b1130".to_owned(),
/// };
/// assert_eq!(format!("{request:?}"), "TeamsUserTokenRequest { .. }");
/// ```
#[derive(Clone, SafeDebug)]
pub struct TeamsUserTokenRequest {
    /// The user's Entra access token, for the scopes `https://auth.msft.communication.azure.com/Teams.ManageCalls` and
    /// `https://auth.msft.communication.azure.com/Teams.ManageChats`. The access token that comes back expires with it.
    pub token: Secret,
    /// The client ID of the Entra application that the token was issued to (its `appid` claim).
    pub client_id: String,
    /// The object ID of the Entra user that the token was issued for (its `oid` claim); not the tenant's ID.
    pub user_object_id: String,
}

/// Returns the lifetime of a token in minutes; `None` is the service's default.
///
/// # Errors
///
/// The lifetime is not a whole number of minutes from 60 to 1440. The service would refuse it too, but each of its other
/// clients rounds it in another way first.
pub(crate) fn lifetime_in_minutes(lifetime: Option<Duration>) -> Result<Option<i64>> {
    let Some(lifetime) = lifetime else {
        return Ok(None);
    };
    let minutes = lifetime.whole_minutes();
    if Duration::minutes(minutes) != lifetime || !TOKEN_LIFETIME_MINUTES.contains(&minutes) {
        return Err(invalid_argument(format!(
            "token_expires_in is {lifetime}; it must be a whole number of minutes from 1 hour to 24 hours \
             (60 to 1440 minutes)"
        )));
    }
    Ok(Some(minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_minutes_within_the_bounds_pass() {
        for minutes in [60, 61, 720, 1439, 1440] {
            assert_eq!(
                lifetime_in_minutes(Some(Duration::minutes(minutes))).unwrap(),
                Some(minutes)
            );
        }
        assert_eq!(lifetime_in_minutes(None).unwrap(), None);
    }

    #[test]
    fn other_lifetimes_are_refused_with_the_bounds() {
        for lifetime in [
            Duration::ZERO,
            Duration::minutes(59),
            Duration::minutes(1441),
            Duration::minutes(60) + Duration::nanoseconds(1),
            Duration::minutes(1440) - Duration::seconds(1),
            Duration::hours(1) + Duration::seconds(59),
            -Duration::hours(2),
            Duration::MAX,
            Duration::MIN,
        ] {
            let error = lifetime_in_minutes(Some(lifetime)).unwrap_err().to_string();
            assert!(error.contains("60 to 1440 minutes"), "{error}");
        }
    }
}
