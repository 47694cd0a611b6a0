//! The claims of a token.

use crate::{json_object::JsonObject, tokens::numbers};
use aws_lc_rs::error::Unspecified;
use serde::{Serialize, de::DeserializeOwned};

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

    pub(super) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
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
