//! JSON Web Tokens: signed, and parsed without trust.

use crate::{
    json_object::JsonObject,
    tokens::{SigningKey, whitespace_counters},
};
use aws_lc_rs::error::Unspecified;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

/// A parsed token. Its signature is not checked: see [`Jwt::is_signed_by`].
pub(crate) struct Jwt<'a> {
    signed: &'a str,
    payload: Payload,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Parses a token; `None` if it does not have the three parts of one.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (_header, payload) = signed.split_once('.')?;
        Some(Self {
            signed,
            payload: Payload::from_bytes(BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?),
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// Returns whether `key` signed the token. The algorithm is that of the key; that in the token's header is ignored.
    pub(crate) fn is_signed_by(&self, key: &SigningKey) -> bool {
        key.has_signed(self.signed.as_bytes(), &self.signature)
    }

    pub(crate) fn payload(&self) -> &Payload {
        &self.payload
    }
}

/// Signs a token with these claims.
pub(super) fn sign(payload: &Payload, key: &SigningKey) -> Result<String, Unspecified> {
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(key.header());
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(payload.as_bytes(), &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}

/// The signed claims of a token: JSON, and the white space after it that stands for counters.
#[derive(Clone)]
pub(crate) struct Payload(Vec<u8>);

impl Payload {
    /// Serializes claims, with counters after them.
    pub(super) fn new(claims: &impl Serialize, counters: &[u64]) -> Result<Self, Unspecified> {
        let mut bytes = serde_json::to_vec(claims).map_err(|_| Unspecified)?;
        bytes.extend(whitespace_counters::to_whitespace(counters));
        Ok(Self(bytes))
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The claims; `None` if they do not have this form.
    pub(crate) fn claims<T: DeserializeOwned>(&self) -> Option<T> {
        let JsonObject(claims) = serde_json::from_slice(&self.0).ok()?;
        Some(claims)
    }

    /// The counters after the claims; `None` if there are more or fewer.
    pub(super) fn counters<const N: usize>(&self) -> Option<[u64; N]> {
        whitespace_counters::from_trailing_whitespace(&self.0)
    }
}
