//! JSON Web Tokens: signed, and parsed without trust.

use crate::{
    json_object::JsonObject,
    tokens::{SigningKey, numbers},
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

    /// Whether `key` signed the token. The algorithm is the key's own, whichever the token's header names.
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

/// The claims of a token as they are signed: JSON, with the white space after it.
#[derive(Clone)]
pub(crate) struct Payload(Vec<u8>);

impl Payload {
    /// Claims, and the numbers that the white space after them stands for.
    pub(super) fn new(claims: &impl Serialize, numbers: &[u64]) -> Result<Self, Unspecified> {
        let mut bytes = serde_json::to_vec(claims).map_err(|_| Unspecified)?;
        bytes.extend(numbers::to_whitespace(numbers));
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

    /// The numbers after the claims; `None` if they are not as many.
    pub(super) fn numbers<const N: usize>(&self) -> Option<[u64; N]> {
        numbers::from_trailing_whitespace(&self.0)
    }
}
