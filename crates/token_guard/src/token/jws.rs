//! The parts of a token.

use crate::{algorithm::Algorithm, error::TokenFault};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
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
            header: serde_json::from_slice(&header).map_err(|_| TokenFault::Malformed)?,
            payload,
            signature: decode(signature).ok_or(TokenFault::Malformed)?,
        })
    }

    /// The claims, which are only to be read once the signature has been checked.
    pub(crate) fn claims(&self) -> Result<Map<String, Value>, TokenFault> {
        let payload = decode(self.payload).ok_or(TokenFault::Malformed)?;
        serde_json::from_slice(&payload).map_err(|_| TokenFault::Malformed)
    }
}

fn decode(part: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(part).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
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
