//! Claims of Entra ID tokens that are exchanged for access tokens of the service.

use crate::{dates, identities::EntraUser, tokens::permissions::Permissions};
use serde::Deserialize;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

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

/// The claims as they are written.
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use time::macros::datetime;

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
    fn the_application_has_a_name_in_each_version() {
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
    fn a_token_expires_within_the_calendar() {
        let expiry = |exp: i64| read(&json!({"exp": exp})).map(|claims| claims.exp);
        assert_eq!(expiry(1_785_542_400), Some(datetime!(2026-08-01 00:00 UTC)));
        assert_eq!(expiry(253_402_300_799), Some(datetime!(9999-12-31 23:59:59 UTC)));
        for out_of_range in [253_402_300_800, 1_785_542_400_000, i64::MAX, i64::MIN] {
            assert_eq!(expiry(out_of_range), None, "{out_of_range}");
        }
    }
}
