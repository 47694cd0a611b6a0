//! JSON Web Tokens: signed, and parsed without trust.

use crate::{json_object::JsonObject, tokens::SigningKey};
use aws_lc_rs::error::Unspecified;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::de::DeserializeOwned;

/// A parsed token. Its signature is not checked: see [`Jwt::is_signed_by`].
pub(crate) struct Jwt<'a> {
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Parses a token; `None` if it does not have the three parts of one.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (_header, payload) = signed.split_once('.')?;
        Some(Self {
            signed,
            payload: BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?,
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// Whether `key` signed the token. The algorithm is the key's own, whichever the token's header names.
    pub(crate) fn is_signed_by(&self, key: &SigningKey) -> bool {
        key.has_signed(self.signed.as_bytes(), &self.signature)
    }

    /// The claims; `None` if they do not have this form.
    pub(crate) fn claims<T: DeserializeOwned>(&self) -> Option<T> {
        let JsonObject(claims) = serde_json::from_slice(&self.payload).ok()?;
        Some(claims)
    }

    /// The claims as they are signed, with the white space after them.
    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Signs a token with `payload`, the claims as JSON.
pub(super) fn sign(payload: &[u8], key: &SigningKey) -> Result<String, Unspecified> {
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(key.header());
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
