//! The parts of a token: header, claims, signature.

use crate::{algorithm::Algorithm, error::TokenFault, keys::KeyHint, token::claims::Claims};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use client_core::json;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::value::RawValue;

/// A token in the compact form of a JWS ([RFC 7515](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)).
pub(crate) struct Jws<'a> {
    /// The signed part.
    pub(crate) message: &'a str,
    pub(crate) header: Header,
    payload: &'a str,
    pub(crate) signature: Vec<u8>,
}

/// The members of a header that the guard reads. `jku`, `jwk`, `x5u` and `x5c`, by which a token could bring its key, are
/// ignored.
#[derive(Deserialize)]
pub(crate) struct Header {
    pub(crate) alg: String,
    pub(crate) kid: Option<String>,
    #[serde(default, deserialize_with = "readable_text")]
    x5t: Option<String>,
    pub(crate) typ: Option<String>,
    /// `true` for any value: no extension is supported.
    #[serde(default, deserialize_with = "is_present")]
    crit: bool,
}

fn is_present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// Reads a text, and treats any other value as absent.
fn readable_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let value = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(value.get()).ok())
}

impl Header {
    /// Checks `crit` and `typ`, before a key is fetched.
    pub(crate) fn check(&self, token_type: TokenType) -> Result<(), TokenFault> {
        if self.crit {
            return Err(TokenFault::CriticalHeader);
        }
        match self.media_type().as_deref() {
            Some("at+jwt") => Ok(()),
            Some("jwt") | None if token_type == TokenType::Jwt => Ok(()),
            _ => Err(TokenFault::Type),
        }
    }

    /// Returns whether the type says that this is an access token.
    pub(crate) fn is_access_token(&self) -> bool {
        self.media_type().as_deref() == Some("at+jwt")
    }

    /// Returns the `typ` without regard to case and without `application/`, which may be omitted
    /// ([RFC 7515](https://www.rfc-editor.org/rfc/rfc7515#section-4.1.9)).
    fn media_type(&self) -> Option<String> {
        let typ = self.typ.as_deref()?.to_ascii_lowercase();
        let typ = typ.strip_prefix("application/").unwrap_or(&typ);
        Some(typ.to_owned())
    }

    /// Returns the members that choose a key.
    pub(crate) fn key_hint(&self) -> KeyHint<'_> {
        KeyHint {
            id: self.kid.as_deref(),
            thumbprint: self.x5t.as_deref(),
        }
    }

    /// Returns the algorithm that the token claims to be signed with, if it is supported.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_name(&self.alg)
    }
}

/// The type of a token, which its header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenType {
    /// An access token of [RFC 9068](https://www.rfc-editor.org/rfc/rfc9068#section-4): `at+jwt` or
    /// `application/at+jwt`. No other token of the issuer has this type.
    AccessToken,
    /// Any of `at+jwt`, `application/at+jwt` and `JWT`, or no type, for issuers that do not follow RFC 9068.
    ///
    /// Other tokens of such an issuer have these types, too. They are refused by their claims:
    ///
    /// * An id token is for a client. So the audience of the API must not be the id of a client.
    /// * `at_hash`, `c_hash` and `s_hash` are in id tokens only
    ///   ([OpenID Connect](https://openid.net/specs/openid-connect-core-1_0.html#HybridIDToken)).
    /// * An `events` object is in logout tokens and security events only
    ///   ([RFC 8417](https://www.rfc-editor.org/rfc/rfc8417#section-2.2)).
    /// * `token_use` is `access` in Cognito's access tokens only.
    /// * The *claim* `typ` is `ID`, `Refresh`, `Offline` or `Logout` in Keycloak's other tokens.
    /// * Tokens of Entra ID have `azp` or `appid` only if they are access tokens.
    Jwt,
}

impl TokenType {
    /// Describes the accepted types, for a log.
    pub(crate) fn expected(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::Jwt => "at+jwt, JWT or none",
        }
    }
}

impl<'a> Jws<'a> {
    /// Parses a token. The claims are parsed later, for a header that is accepted.
    pub(crate) fn parse(token: &'a str) -> Result<Self, TokenFault> {
        let (message, signature) = token.rsplit_once('.').ok_or(TokenFault::NotAJwt)?;
        let (header, payload) = message.split_once('.').ok_or(TokenFault::NotAJwt)?;
        if payload.contains('.') {
            return Err(TokenFault::NotAJwt);
        }
        let header = decode(header).ok_or(TokenFault::NotAJwt)?;
        Ok(Self {
            message,
            header: json::object(&header).ok_or(TokenFault::Malformed)?,
            payload,
            signature: decode(signature).ok_or(TokenFault::Malformed)?,
        })
    }

    /// Parses the claims. Only a valid signature makes them trustworthy.
    pub(crate) fn claims(&self) -> Result<Claims, TokenFault> {
        let payload = decode(self.payload).ok_or(TokenFault::Malformed)?;
        Claims::from_json(&payload).ok_or(TokenFault::Malformed)
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
            prop::collection::vec(any::<String>(), 0..3).prop_map(Value::from),
            Just(json!({"a": []})),
        ]
    }

    proptest! {
        #[test]
        fn header_read_among_other_members(
            others in prop::collection::btree_map("[a-z0-9]{1,6}", any_value(), 0..8),
            alg in any::<String>(),
            kid in any::<Option<String>>(),
        ) {
            let mut header = Map::from_iter(others);
            header.remove("typ");
            let critical = header.contains_key("crit");
            header.extend([("alg".to_owned(), json!(alg)), ("kid".to_owned(), json!(kid))]);
            let token = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(Value::Object(header).to_string()));
            let header = Jws::parse(&token).unwrap().header;
            prop_assert_eq!((header.alg, header.kid, header.typ, header.crit), (alg, kid, None, critical));
        }

        #[test]
        fn claims_read_unchanged(claims in prop::collection::btree_map(any::<String>(), any_value(), 0..8)) {
            let claims: Map<String, Value> = Map::from_iter(claims);
            let payload = URL_SAFE_NO_PAD.encode(Value::Object(claims.clone()).to_string());
            let token = format!("{}.{payload}.AAAA", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES384"}"#));
            prop_assert_eq!(Jws::parse(&token).unwrap().claims().unwrap().0, claims);
        }

        #[test]
        fn no_token_panics(token in "[A-Za-z0-9_.-]{0,200}") {
            if let Ok(jws) = Jws::parse(&token) {
                let _ = jws.claims();
            }
        }

        #[test]
        fn header_without_alg_refused(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>()) {
            let token = format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&claims));
            let expected = serde_json::from_slice::<Value>(&header).is_ok_and(|header| header["alg"].is_string());
            prop_assert!(expected || Jws::parse(&token).is_err());
        }
    }
}
