//! Validation of Entra ID tokens.

use crate::{
    dates,
    identities::EntraUser,
    tokens::{Jwt, SigningKey},
};
use serde::Deserialize;
use serde_json::Value;
use std::fmt::{self, Display, Formatter};
use time::OffsetDateTime;
use uuid::Uuid;

/// The service, whose SDKs ask for the scope `https://communication.azure.com//.default`.
pub(super) const SERVICE_AUDIENCE: &str = "https://communication.azure.com/";
/// The application "Azure Communication Services", to which Teams users give consent.
pub(super) const TEAMS_AUDIENCE: &str = "1fd5118e-2576-4263-8130-9503064c837a";

/// The application "Azure Communication Services Clients", whose scopes begin with this URI.
pub(super) const ENTRA_USER_AUDIENCE: &str = "https://communication.azure.com/clients";

/// Accepted audiences of a bearer token. Clients other than the SDKs leave the slash out; a token of version 2.0 has the id of
/// the service's application.
pub(crate) const SERVICE_AUDIENCES: &[&str] = &[
    SERVICE_AUDIENCE,
    "https://communication.azure.com",
    "632ec9eb-fad7-4cbd-993a-e72973ba2acc",
];
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

/// The signatures that are accepted.
#[derive(Clone, Copy)]
pub(crate) enum Signatures<'a> {
    /// Those of this key.
    Of(&'a SigningKey),
    /// All, unchecked.
    Unverified,
}

/// The reason why a token is not valid. No variant contains a part of the token.
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
pub(crate) fn validate<'a>(
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

/// The claims of a Teams user's token that the exchange uses.
#[derive(Deserialize)]
pub(crate) struct TeamsUserClaims {
    pub(crate) appid: Uuid,
    pub(crate) oid: Uuid,
    pub(crate) tid: Uuid,
    pub(crate) uti: String,
    pub(crate) iat: i64,
    #[serde(deserialize_with = "dates::deserialize_unix")]
    pub(crate) exp: OffsetDateTime,
    #[serde(default, rename = "scp")]
    pub(crate) permissions: Permissions,
}

/// The claims of a token that a user exchanges for an access token of the service.
#[derive(Clone, Deserialize)]
#[serde(try_from = "RawUserClaims")]
pub(crate) struct EntraUserClaims {
    pub(crate) user: EntraUser,
    pub(crate) exp: OffsetDateTime,
    pub(crate) permissions: Permissions,
}

/// The claims in their JSON form.
#[derive(Deserialize)]
struct RawUserClaims {
    /// The application in tokens of version 1.0.
    appid: Option<Uuid>,
    /// The application in tokens of version 2.0.
    azp: Option<Uuid>,
    oid: Uuid,
    tid: Uuid,
    #[serde(deserialize_with = "dates::deserialize_unix")]
    exp: OffsetDateTime,
    #[serde(default)]
    scp: Permissions,
    /// Ids of groups. A tenant can have their names here instead.
    #[serde(default)]
    groups: Vec<Value>,
}

impl TryFrom<RawUserClaims> for EntraUserClaims {
    type Error = &'static str;

    fn try_from(raw: RawUserClaims) -> Result<Self, Self::Error> {
        let group = |group: &Value| Uuid::try_parse(group.as_str()?).ok();
        Ok(Self {
            user: EntraUser {
                tenant: raw.tid,
                user: raw.oid,
                application: raw.appid.or(raw.azp).ok_or("appid and azp are missing")?,
                groups: raw.groups.iter().filter_map(group).collect(),
            },
            exp: raw.exp,
            permissions: raw.scp,
        })
    }
}

/// The `scp` claim of an Entra ID token: permissions, separated by spaces.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Permissions(String);

impl Permissions {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split_ascii_whitespace()
    }

    pub(crate) fn include(&self, name: &str) -> bool {
        self.names().any(|included| included == name)
    }
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
        validate(&token, SERVICE_AUDIENCES, Signatures::Of(&key), NOW).err()
    }

    #[test]
    fn token_is_valid_within_its_period() {
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
    fn token_needs_audience_and_expiry() {
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

    const ONE: Uuid = Uuid::from_u128(1);
    const TWO: Uuid = Uuid::from_u128(2);

    /// Reads a token's claims with these changes, of which null removes a claim.
    fn read(change: &Value) -> Option<EntraUserClaims> {
        let mut claims = json!({"appid": ONE, "oid": ONE, "tid": ONE, "exp": 1_785_542_400});
        for (name, value) in change.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        serde_json::from_value(claims).ok()
    }

    #[test]
    fn application_is_appid_or_azp() {
        let application = |change| read(&change).map(|claims| claims.user.application);
        assert_eq!(application(json!({})), Some(ONE));
        assert_eq!(application(json!({"appid": null, "azp": TWO})), Some(TWO));
        assert_eq!(application(json!({"azp": TWO})), Some(ONE));
        assert_eq!(application(json!({"azp": ONE})), Some(ONE));
        assert_eq!(application(json!({"appid": null})), None);
    }

    #[test]
    fn groups_without_an_id_are_ignored() {
        let groups = |change| read(&change).map(|claims| claims.user.groups);
        assert_eq!(groups(json!({})), Some(vec![]));
        let mixed = json!({"groups": [ONE, "CONTOSO\\Sales", 7, "", TWO]});
        assert_eq!(groups(mixed), Some(vec![ONE, TWO]));
    }

    #[test]
    fn permissions_are_optional() {
        let names = |change| {
            let claims: EntraUserClaims = read(&change).unwrap();
            claims.permissions.names().map(ToOwned::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(names(json!({})), [""; 0]);
        assert_eq!(names(json!({"scp": "Chat  VoIP"})), ["Chat", "VoIP"]);
    }

    #[test]
    fn expiry_is_within_the_calendar() {
        let expiry = |exp: i64| read(&json!({"exp": exp})).map(|claims| claims.exp);
        assert_eq!(expiry(1_785_542_400), Some(datetime!(2026-08-01 00:00 UTC)));
        assert_eq!(expiry(253_402_300_799), Some(datetime!(9999-12-31 23:59:59 UTC)));
        for out_of_range in [253_402_300_800, 1_785_542_400_000, i64::MAX, i64::MIN] {
            assert_eq!(expiry(out_of_range), None, "{out_of_range}");
        }
    }
}
