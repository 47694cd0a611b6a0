//! The parts of a token.

use crate::{algorithm::Algorithm, error::TokenFault};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use client_core::json;
use serde::{Deserialize, Deserializer, de::IgnoredAny};
use serde_json::{Map, Value};

/// A token in the compact form of a JWS ([RFC 7515](https://www.rfc-editor.org/rfc/rfc7515#section-7.1)).
pub(crate) struct Jws<'a> {
    /// What is signed.
    pub(crate) message: &'a str,
    pub(crate) header: Header,
    payload: &'a str,
    pub(crate) signature: Vec<u8>,
}

/// What counts of a header. `jku`, `jwk`, `x5u` and `x5c`, by which a token could bring its own key, do not.
#[derive(Deserialize)]
pub(crate) struct Header {
    alg: String,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
    #[serde(default, deserialize_with = "presence")]
    pub(crate) crit: bool,
}

/// Whether a member is there, whatever it holds: no extension is supported.
fn presence<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl Header {
    /// The algorithm that the token says it is signed with, if there are public keys for it.
    pub(crate) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::from_name(&self.alg)
    }
}

impl<'a> Jws<'a> {
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

    /// The claims, which are to be believed once the signature has been checked.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, TokenFault> {
        let payload = decode(self.payload).ok_or(TokenFault::Malformed)?;
        json::object(&payload).ok_or(TokenFault::Malformed)
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

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
        fn what_a_header_has_of_its_own_is_read_whatever_else_it_has(
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
        fn claims_are_read_as_they_are(claims in prop::collection::btree_map(any::<String>(), any_value(), 0..8)) {
            let claims = Map::from_iter(claims);
            let payload = URL_SAFE_NO_PAD.encode(Value::Object(claims.clone()).to_string());
            let token = format!("{}.{payload}.AAAA", URL_SAFE_NO_PAD.encode(r#"{"alg":"ES384"}"#));
            prop_assert_eq!(Jws::parse(&token).unwrap().claims().unwrap(), claims);
        }

        #[test]
        fn nothing_that_is_sent_as_a_token_panics(token in "[A-Za-z0-9_.-]{0,200}") {
            if let Ok(jws) = Jws::parse(&token) {
                let _ = jws.claims();
            }
        }

        #[test]
        fn any_header_is_read_or_refused(header in any::<Vec<u8>>(), claims in any::<Vec<u8>>()) {
            let token = format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(&header), URL_SAFE_NO_PAD.encode(&claims));
            let expected = serde_json::from_slice::<Value>(&header).is_ok_and(|header| header["alg"].is_string());
            prop_assert!(expected || Jws::parse(&token).is_err());
        }
    }
}
