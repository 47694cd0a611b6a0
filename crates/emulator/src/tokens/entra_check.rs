//! Validation of Entra ID tokens.

use crate::{
    dates,
    tokens::{Jwt, SigningKey},
};
use serde::Deserialize;
use std::fmt::{self, Display, Formatter};
use time::OffsetDateTime;

/// The service, whose SDKs ask for the scope `https://communication.azure.com//.default`.
pub(super) const SERVICE_AUDIENCE: &str = "https://communication.azure.com/";
/// The application "Azure Communication Services", to which Teams users give consent.
pub(super) const TEAMS_AUDIENCE: &str = "1fd5118e-2576-4263-8130-9503064c837a";

/// The application "Azure Communication Services Clients", whose scopes begin with this URI.
pub(super) const ENTRA_USER_AUDIENCE: &str = "https://communication.azure.com/clients";

/// Accepted audiences of a bearer token. Clients other than the SDKs leave the slash out.
pub(crate) const SERVICE_AUDIENCES: &[&str] = &[SERVICE_AUDIENCE, "https://communication.azure.com"];
/// Accepted audiences of a Teams user's token.
pub(crate) const TEAMS_AUDIENCES: &[&str] = &[TEAMS_AUDIENCE];
/// Accepted audiences of a token for Teams Phone extensibility. Clients ask for the scope
/// `https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls`.
pub(crate) const TEAMS_EXTENSION_AUDIENCES: &[&str] = &[
    TEAMS_AUDIENCE,
    "https://auth.msft.communication.azure.com",
    "https://auth.msft.communication.azure.com/",
];
/// Accepted audiences of the token of a user of Entra ID.
pub(crate) const ENTRA_USER_AUDIENCES: &[&str] = &[
    ENTRA_USER_AUDIENCE,
    "https://communication.azure.com/clients/",
    "2a04943b-b6a7-4f65-8786-2bb6131b59f6",
];

/// Which signatures are accepted.
#[derive(Clone, Copy)]
pub(crate) enum Signatures<'a> {
    /// Those of this key.
    Of(&'a SigningKey),
    /// All, unchecked.
    Unverified,
}

/// Why a token is not valid. No variant contains a part of the token.
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
            Self::Malformed => {
                "the Entra ID token is not a JWT with the expected claims. Send the whole access token, neither an id \
                 token nor an opaque one."
            }
            Self::Signature => {
                "the Entra ID token is not signed by this emulator. Get one from its control surface, or accept \
                 unverified bearer tokens."
            }
            Self::Audience => {
                "the Entra ID token is for another audience. Ask for one with the scope of this operation."
            }
            Self::NotYetValid => "the Entra ID token is not valid yet. Set the clock of its issuer, or wait.",
            Self::Expired => "the Entra ID token has expired. Get a new one.",
        })
    }
}

/// Parses a token and checks its signature, audience and validity period.
pub(crate) fn check<'a>(
    token: &'a str,
    audiences: &[&str],
    signatures: Signatures<'_>,
    now: OffsetDateTime,
) -> Result<Jwt<'a>, EntraTokenError> {
    #[derive(Deserialize)]
    struct Claims {
        aud: String,
        #[serde(deserialize_with = "dates::deserialize_unix")]
        exp: OffsetDateTime,
        nbf: Option<i64>,
    }

    let token = Jwt::parse(token).ok_or(EntraTokenError::Malformed)?;
    if let Signatures::Of(key) = signatures
        && !token.is_signed_by(key)
    {
        return Err(EntraTokenError::Signature);
    }
    let claims: Claims = token.payload().claims().ok_or(EntraTokenError::Malformed)?;
    if !audiences.contains(&claims.aud.as_str()) {
        return Err(EntraTokenError::Audience);
    }
    if claims.nbf.is_some_and(|nbf| nbf > now.unix_timestamp()) {
        return Err(EntraTokenError::NotYetValid);
    }
    if claims.exp <= now {
        return Err(EntraTokenError::Expired);
    }
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::{Payload, TokenAlgorithm, jwt};
    use serde_json::{Value, json};
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);

    fn outcome_of(claims: &Value) -> Option<EntraTokenError> {
        let key = SigningKey::generate(TokenAlgorithm::Es256).unwrap();
        let token = jwt::sign(&Payload::new(&claims, &[]).unwrap(), &key).unwrap();
        check(&token, SERVICE_AUDIENCES, Signatures::Of(&key), NOW).err()
    }

    #[test]
    fn a_token_is_valid_from_its_first_second_to_its_last() {
        let now = NOW.unix_timestamp();
        for (nbf, exp, expected) in [
            (Value::Null, now + 1, None),
            (json!(now), now + 1, None),
            (json!(now + 1), now + 2, Some(EntraTokenError::NotYetValid)),
            (json!(now - 1), now, Some(EntraTokenError::Expired)),
        ] {
            let claims = json!({"aud": SERVICE_AUDIENCE, "nbf": nbf, "exp": exp});
            assert_eq!(outcome_of(&claims), expected, "{claims}");
        }
    }

    #[test]
    fn a_token_needs_an_audience_and_an_expiry() {
        let exp = NOW.unix_timestamp() + 1;
        for claims in [
            json!({"aud": SERVICE_AUDIENCE}),
            json!({"exp": exp}),
            json!("claims"),
            json!([SERVICE_AUDIENCE, exp, null]),
            json!({"aud": SERVICE_AUDIENCE, "exp": exp * 1000}),
        ] {
            assert_eq!(outcome_of(&claims), Some(EntraTokenError::Malformed), "{claims}");
        }
    }
}
