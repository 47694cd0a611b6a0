//! JSON Web Tokens: written, and read without trust.

use super::SigningKey;
use aws_lc_rs::error::Unspecified;
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::de::DeserializeOwned;

/// A token taken apart. Nothing is checked yet: see [`Jwt::is_signed_by`].
pub(crate) struct Jwt<'a> {
    signed: &'a str,
    payload: Vec<u8>,
    signature: Vec<u8>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart; `None` if it has not the three parts of one.
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (_header, payload) = signed.split_once('.')?;
        Some(Self {
            signed,
            payload: BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?,
            signature: BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// Whether `key` has signed the token, by the key's own algorithm: what the token's header asks for is not heard.
    pub(crate) fn is_signed_by(&self, key: &SigningKey) -> bool {
        key.has_signed(self.signed.as_bytes(), &self.signature)
    }

    /// The claims, if they are of that shape.
    pub(crate) fn claims<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(&self.payload).ok()
    }

    pub(super) fn payload(&self) -> &[u8] {
        &self.payload
    }
}

/// Signs a token with these claims, in JSON.
pub(super) fn sign(payload: &[u8], key: &SigningKey) -> Result<String, Unspecified> {
    let mut token = BASE64_URL_SAFE_NO_PAD.encode(key.header());
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(token)
}
