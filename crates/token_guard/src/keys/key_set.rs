//! The keys of an issuer at one time.

use super::verifying_key::VerifyingKey;
use crate::{algorithm::Algorithm, error::TokenFault};
use client_core::json;
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

        let set: Set = json::object(json)?;
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
        let mut named = self.named(id).peekable();
        if named.peek().is_none() {
            return Err(TokenFault::UnknownKey);
        }
        let key = named.find(|key| key.algorithm == algorithm);
        key.cloned().ok_or(TokenFault::Algorithm)
    }

    /// Whether a token can be of a key of this set.
    pub(crate) fn has(&self, id: Option<&str>) -> bool {
        self.named(id).next().is_some()
    }

    fn named(&self, id: Option<&str>) -> impl Iterator<Item = &Arc<VerifyingKey>> {
        let only = self.0.len() == 1;
        let keys = self.0.iter();
        keys.filter(move |key| id.map_or(only, |id| key.id.as_deref() == Some(id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    proptest! {
        #[test]
        fn keys_are_found_among_whatever_else_a_set_has(
            others in prop::collection::btree_map("[a-z]{1,6}", "\\PC{0,12}", 0..6),
            before in prop::collection::vec(prop_oneof![
                Just(json!(null)),
                any::<String>().prop_map(Value::from),
                Just(json!({"kty": "oct", "k": "c2VjcmV0", "kid": "key"})),
                prop::collection::btree_map("kty|crv|kid|x", "\\PC{0,12}", 0..4).prop_map(|key| json!(key)),
            ], 0..6),
        ) {
            let mut set = json!(others);
            let mut keys = before;
            // Of RFC 8037, appendix A.2.
            let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
            keys.push(json!({"kty": "OKP", "crv": "Ed25519", "kid": "key", "x": x}));
            set["keys"] = json!(keys);
            let set = KeySet::parse(set.to_string().as_bytes(), &[Algorithm::EdDsa]).unwrap();
            prop_assert!(set.find(Some("key"), Algorithm::EdDsa).is_ok());
            prop_assert_eq!(set.0.len(), 1);
        }
    }
}
