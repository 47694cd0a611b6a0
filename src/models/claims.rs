//! The claims of an access token.

use super::scope::CommunicationTokenScope;
use crate::identifiers::CommunicationIdentifier;
use azure_core::{Error, Result, error::ErrorKind, time::OffsetDateTime};
use client_core::jwt::{NotAToken, numeric_date, unverified_claims};
use serde_json::{Map, Value};

/// The claims of an access token, **unverified**: a forged token can claim anything.
///
/// They name the user, the scopes and the expiry, for logs, tests and caches of tokens that came from the service itself.
/// Never authorize a request by them: the signature is not checked, and the service is not known to publish keys for that.
///
/// The service promises neither the format nor the claims of its tokens. These are the claims that its tokens have been
/// seen with; one that is missing, or of another form, is `None` or left out. Only the expiry is required.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// # let (emulator, client) = start().await?;
/// use azure_communication_identity::CommunicationTokenScope;
///
/// let scopes = [CommunicationTokenScope::Chat, CommunicationTokenScope::Voip];
/// let created = client.create_user_and_token(&scopes, None).await?.into_model()?;
///
/// let claims = created.access_token.unverified_claims()?;
/// assert_eq!(claims.identity, Some(created.user.into()));
/// assert_eq!(claims.scopes, scopes);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnverifiedTokenClaims {
    /// The user of the token (`skypeid`): a user of the resource, or a Teams user.
    pub identity: Option<CommunicationIdentifier>,
    /// The scopes of the token (`acsScope`).
    pub scopes: Vec<CommunicationTokenScope>,
    /// The immutable ID of the resource that issued the token (`resourceId`).
    pub resource_id: Option<String>,
    /// The time at which the token was issued (`iat`).
    pub issued_at: Option<OffsetDateTime>,
    /// The time at which the token expires (`exp`).
    pub expires_on: OffsetDateTime,
}

impl UnverifiedTokenClaims {
    /// Decodes the claims of a token without checking its signature.
    ///
    /// # Arguments
    ///
    /// * `token` - An access token of the service.
    ///
    /// # Errors
    ///
    /// The text is not a JSON Web Token, is longer than 64 KiB, or has no expiry. The error shows nothing of the token.
    pub fn decode(token: &str) -> Result<Self> {
        let claims = unverified_claims(token).map_err(|error| malformed(&error))?;
        let scopes = text(&claims, "acsScope").unwrap_or_default().split(',');
        Ok(Self {
            identity: text(&claims, "skypeid").map(identity),
            scopes: scopes.filter(|scope| !scope.is_empty()).map(Into::into).collect(),
            resource_id: text(&claims, "resourceId").map(str::to_owned),
            issued_at: claims.get("iat").and_then(numeric_date),
            expires_on: claims
                .get("exp")
                .and_then(numeric_date)
                .ok_or_else(|| malformed(&NotAToken::WRONG_CLAIMS))?,
        })
    }
}

fn malformed(reason: &NotAToken) -> Error {
    Error::with_message(
        ErrorKind::DataConversion,
        format!("the token cannot be read as a JSON Web Token: {reason}"),
    )
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    claims.get(name)?.as_str().filter(|text| !text.is_empty())
}

/// Reads the claim of a user: a raw ID without its `8:`, the class of all who can hold a token.
fn identity(skypeid: &str) -> CommunicationIdentifier {
    const CLASS: &str = "8:";
    let id = skypeid.strip_prefix(CLASS).unwrap_or(skypeid);
    CommunicationIdentifier::from_raw_id(&format!("{CLASS}{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CommunicationAccessToken;
    use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
    use serde_json::json;

    fn moment(seconds: i64) -> Option<OffsetDateTime> {
        OffsetDateTime::from_unix_timestamp(seconds).ok()
    }

    const RESOURCE: &str = "bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd";

    fn token(payload: &Value) -> String {
        let header = json!({ "alg": "RS256", "kid": "106", "x5t": "SECRET", "typ": "JWT" });
        let [header, payload] = [&header, payload].map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
        format!("{header}.{payload}.c2lnbmF0dXJl")
    }

    fn decode(payload: &Value) -> UnverifiedTokenClaims {
        UnverifiedTokenClaims::decode(&token(payload)).unwrap()
    }

    // The payloads have the names, order and forms that tokens of the service have been seen with.

    #[test]
    fn a_users_token() {
        let user = format!("{RESOURCE}_00000006-19e0-2727-80f5-8b3a0d003502");
        let mut payload = json!({
            "skypeid": format!("acs:{user}"),
            "scp": 1792,
            "csi": "1700000000",
            "exp": 1_700_086_400,
            "rgn": "amer",
            "acsScope": "chat.join.limited,voip",
            "resourceId": RESOURCE,
            "resourceLocation": "unitedstates",
            "iat": 1_700_000_000,
        });
        let claims = decode(&payload);
        let expected = UnverifiedTokenClaims {
            identity: Some(CommunicationIdentifier::from_raw_id(&format!("8:acs:{user}"))),
            scopes: vec![CommunicationTokenScope::ChatJoinLimited, CommunicationTokenScope::Voip],
            resource_id: Some(RESOURCE.to_owned()),
            issued_at: moment(1_700_000_000),
            expires_on: moment(1_700_086_400).unwrap(),
        };
        assert_eq!(claims, expected);
        assert!(claims.identity.unwrap().as_communication_user().is_some());

        // As until 2022.
        let claims = payload.as_object_mut().unwrap();
        claims.remove("rgn");
        claims.remove("resourceLocation");
        assert_eq!(decode(&payload), expected);
    }

    #[test]
    fn a_teams_users_token() {
        let claims = decode(&json!({
            "skypeid": "orgid:45ab2481-1c1c-4005-be24-0ffb879b1130",
            "scp": 1024,
            "csi": "1700000000",
            "exp": 1_700_004_500,
            "rgn": "amer",
            "tid": "01234567-89ab-cdef-0123-456789abcdef",
            "acsScope": "voip,chat",
            "resourceId": RESOURCE,
            "aad_iat": "1699999700",
            "aad_uti": "uti",
            "aad_appid": "1d7e5dfb-7f3a-4a25-8bd8-9d2bd0e1a1b5",
            "iat": 1_700_000_000,
        }));
        let Some(CommunicationIdentifier::MicrosoftTeamsUser(user)) = claims.identity else {
            panic!("{claims:?}");
        };
        assert_eq!(user.user_id(), "45ab2481-1c1c-4005-be24-0ffb879b1130");
        assert_eq!(claims.scopes, ["voip", "chat"].map(CommunicationTokenScope::from));
    }

    #[test]
    fn a_date_may_have_a_fraction() {
        for (exp, seconds) in [
            (json!(1.5), 1),
            (json!(1_700_086_400.999), 1_700_086_400),
            (json!(1e9), 1_000_000_000),
            (json!(-0.5), -1),
        ] {
            let claims = decode(&json!({ "exp": exp, "iat": exp }));
            assert_eq!(claims.expires_on, moment(seconds).unwrap(), "{exp}");
            assert_eq!(claims.issued_at, moment(seconds), "{exp}");
        }
    }

    #[test]
    fn a_token_names_its_user_in_every_form() {
        for (skypeid, raw_id) in [
            ("acs:r_u", "8:acs:r_u"),
            ("acs:r_wf_t_u", "8:acs:r_wf_t_u"),
            ("acs:r_t_u", "8:acs:r_t_u"),
            ("gcch-acs:r_u", "8:gcch-acs:r_u"),
            ("8:acs:r_u", "8:acs:r_u"),
            ("future:x", "8:future:x"),
        ] {
            let claims = decode(&json!({ "skypeid": skypeid, "exp": 1 }));
            assert_eq!(claims.identity.unwrap().raw_id(), raw_id);
        }
    }

    #[test]
    fn claims_of_another_form_are_left_out() {
        for payload in [
            json!({ "exp": 1 }),
            json!({ "exp": 1, "skypeid": "", "acsScope": "", "resourceId": "", "iat": null }),
            json!({ "exp": 1, "skypeid": 7, "acsScope": ["chat"], "resourceId": {}, "iat": "1700000000" }),
            json!({ "exp": 1, "acsScope": ",", "iat": i64::MAX }),
        ] {
            let claims = decode(&payload);
            let expected = UnverifiedTokenClaims {
                identity: None,
                scopes: vec![],
                resource_id: None,
                issued_at: None,
                expires_on: moment(1).unwrap(),
            };
            assert_eq!(claims, expected);
        }
    }

    #[test]
    fn a_token_without_expiry_is_refused_and_not_shown() {
        let skypeid = "acs:SECRET";
        for payload in [
            json!({ "skypeid": skypeid }),
            json!({ "skypeid": skypeid, "exp": "SECRET" }),
            json!({ "skypeid": skypeid, "exp": null }),
            json!({ "skypeid": skypeid, "exp": i64::MAX }),
            json!({ "skypeid": skypeid, "exp": 1e300 }),
            json!([skypeid]),
            json!([skypeid, "chat", "SECRET", 1, 2]),
        ] {
            let token = token(&payload);
            let error = UnverifiedTokenClaims::decode(&token).unwrap_err();
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("not those of an access token"), "{shown}");
            assert!(!shown.contains("SECRET"), "{shown}");
            assert!(token.split('.').all(|part| !shown.contains(part)), "{shown}");
        }
    }

    #[test]
    fn an_access_token_shows_its_claims() {
        let token = CommunicationAccessToken::new(token(&json!({ "exp": 1 })), moment(2).unwrap());
        assert_eq!(token.unverified_claims().unwrap().expires_on, moment(1).unwrap());
    }
}
