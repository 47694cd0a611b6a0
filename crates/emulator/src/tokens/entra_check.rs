//! Whether an Entra token is good.

use super::{Jwt, SigningKey};
use serde::Deserialize;
use std::fmt::{self, Display, Formatter};
use time::OffsetDateTime;
use uuid::Uuid;

/// The service itself, as its SDKs come to it: they ask for the scope `https://communication.azure.com//.default`.
pub(super) const SERVICE_AUDIENCE: &str = "https://communication.azure.com/";
/// The application "Azure Communication Services", to which Teams users give their consent.
pub(super) const TEAMS_AUDIENCE: &str = "1fd5118e-2576-4263-8130-9503064c837a";

/// What a token has to be meant for to go with a request to the service. Other clients than the SDKs leave the slash
/// out.
pub(crate) const SERVICE_AUDIENCES: &[&str] = &[SERVICE_AUDIENCE, "https://communication.azure.com"];
/// What a Teams user's token has to be meant for.
pub(crate) const TEAMS_AUDIENCES: &[&str] = &[TEAMS_AUDIENCE];

/// Whose signatures are good.
#[derive(Clone, Copy)]
pub(crate) enum Signatures<'a> {
    /// Those of this key.
    Of(&'a SigningKey),
    /// All, without a look at them.
    Unverified,
}

/// Why a token is not good. Nothing of the token is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EntraTokenError {
    Malformed,
    Signature,
    Audience,
    NotYetValid,
    Expired,
}

impl Display for EntraTokenError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the Entra token is not a JWT with the claims of one",
            Self::Signature => "the Entra token is not signed by this emulator",
            Self::Audience => "the Entra token is meant for another audience",
            Self::NotYetValid => "the Entra token is not valid yet",
            Self::Expired => "the Entra token has expired",
        })
    }
}

/// The claims of a Teams user's token that the service looks at.
#[derive(Deserialize)]
pub(crate) struct TeamsUserClaims {
    pub(crate) appid: Uuid,
    pub(crate) oid: Uuid,
    pub(crate) tid: Uuid,
    pub(crate) uti: String,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
}

/// Takes a token apart and checks its signature, audience and life.
pub(crate) fn check<'a>(
    token: &'a str,
    audiences: &[&str],
    signatures: Signatures<'_>,
    now: OffsetDateTime,
) -> Result<Jwt<'a>, EntraTokenError> {
    #[derive(Deserialize)]
    struct Claims {
        aud: String,
        exp: i64,
        nbf: Option<i64>,
    }

    let token = Jwt::parse(token).ok_or(EntraTokenError::Malformed)?;
    if let Signatures::Of(key) = signatures
        && !token.is_signed_by(key)
    {
        return Err(EntraTokenError::Signature);
    }
    let claims: Claims = token.claims().ok_or(EntraTokenError::Malformed)?;
    if !audiences.contains(&claims.aud.as_str()) {
        return Err(EntraTokenError::Audience);
    }
    let now = now.unix_timestamp();
    if claims.nbf.is_some_and(|nbf| nbf > now) {
        return Err(EntraTokenError::NotYetValid);
    }
    if claims.exp <= now {
        return Err(EntraTokenError::Expired);
    }
    Ok(token)
}
