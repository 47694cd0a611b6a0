//! The keys of an issuer at one time.

use super::verifying_key::VerifyingKey;
use crate::{algorithm::Algorithm, error::TokenFault};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// A JWK set ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517#section-5)), without the keys that are of no use here.
pub(crate) struct KeySet(Vec<Arc<VerifyingKey>>);

impl KeySet {
    /// Reads a set; there is none if it has no key of these algorithms.
    pub(crate) fn parse(json: &[u8], algorithms: &[Algorithm]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }

        let set: Set = serde_json::from_slice(json).ok()?;
        let keys = set.keys.iter().filter_map(VerifyingKey::from_json);
        let keys: Vec<_> = keys
            .filter(|key| algorithms.contains(&key.algorithm))
            .map(Arc::new)
            .collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The key that a token names. A token that names none can only be of the set's only key.
    ///
    /// A set can have one key of an RSA pair for each of its algorithms, under the same id, so the token's algorithm
    /// tells these apart: never how a key is used.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Arc<VerifyingKey>, TokenFault> {
        let named: Vec<_> = match (id, self.0.as_slice()) {
            (None, [only]) => vec![only],
            (None, _) => Vec::new(),
            (Some(id), keys) => keys.iter().filter(|key| key.id.as_deref() == Some(id)).collect(),
        };
        if named.is_empty() {
            return Err(TokenFault::UnknownKey);
        }
        let key = named.into_iter().find(|key| key.algorithm == algorithm);
        key.cloned().ok_or(TokenFault::Algorithm)
    }
}
