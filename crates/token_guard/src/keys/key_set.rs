//! The public keys of an issuer, each for one algorithm.

use crate::{algorithm::Algorithm, error::TokenFault};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use client_core::json;
use jsonwebtoken::{
    DecodingKey,
    crypto::aws_lc,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::Value;
use std::sync::Arc;

/// A JWK set ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517#section-5)), reduced to the keys that can verify tokens.
pub(crate) struct KeySet(Vec<Arc<VerifyingKey>>);

impl KeySet {
    /// Parses a set. Returns `None` if it has no key for one of these algorithms.
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

    /// Returns the key with this id, or the only key of the set for a token without `kid`.
    ///
    /// A set can have an RSA key once for each of its algorithms, with the same id. The algorithm of the token chooses
    /// among these, but never how a key is used.
    pub(crate) fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Arc<VerifyingKey>, TokenFault> {
        let mut candidates = self.candidates(id).peekable();
        if candidates.peek().is_none() {
            return Err(TokenFault::UnknownKey);
        }
        let key = candidates.find(|key| key.algorithm == algorithm);
        key.cloned().ok_or(TokenFault::Algorithm)
    }

    /// Returns whether the set has a key for a token with this `kid`.
    pub(crate) fn has(&self, id: Option<&str>) -> bool {
        self.candidates(id).next().is_some()
    }

    fn candidates(&self, id: Option<&str>) -> impl Iterator<Item = &Arc<VerifyingKey>> {
        let is_only_key = self.0.len() == 1;
        let keys = self.0.iter();
        keys.filter(move |key| id.map_or(is_only_key, |id| key.id.as_deref() == Some(id)))
    }
}

/// A key that verifies signatures by one algorithm.
pub(crate) struct VerifyingKey {
    id: Option<String>,
    algorithm: Algorithm,
    /// The `issuer` of the key. Entra ID has it in the key sets that its tenants share.
    pub(crate) issuer: Option<String>,
    key: DecodingKey,
}

impl VerifyingKey {
    /// Reads a member of a JWK set. Returns `None` for a key that has another use or is not supported, as such keys are to
    /// be ignored ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
    pub(crate) fn from_json(json: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json.clone()).ok()?;
        if !is_for_signatures(&jwk) || !has_valid_size(&jwk) {
            return None;
        }
        let named = json.get("alg").map(|name| name.as_str().unwrap_or_default());
        Some(Self {
            algorithm: algorithm(&jwk, named)?,
            issuer: json.get("issuer").and_then(Value::as_str).map(str::to_owned),
            key: DecodingKey::from_jwk(&jwk).ok()?,
            id: jwk.common.key_id,
        })
    }

    /// Returns whether `signature` is the signature of the message by this key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider is named, as the process's default panics in a build that has several.
        (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.jwa(), &self.key)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

/// Returns whether `use` and `key_ops` allow the verification of signatures.
fn is_for_signatures(jwk: &Jwk) -> bool {
    let key_use = jwk.common.public_key_use.as_ref();
    let operations = jwk.common.key_operations.as_ref();
    key_use.is_none_or(|key_use| *key_use == PublicKeyUse::Signature)
        && operations.is_none_or(|operations| operations.contains(&KeyOperations::Verify))
}

/// Returns whether the numbers of a key have the length of its curve
/// ([RFC 7518](https://www.rfc-editor.org/rfc/rfc7518#section-6.2.1.2),
/// [RFC 8037](https://www.rfc-editor.org/rfc/rfc8037#section-2)), or an RSA modulus has 2048 to 8192 bits, which is what
/// aws-lc verifies with.
fn has_valid_size(jwk: &Jwk) -> bool {
    let bytes = |number: &str| URL_SAFE_NO_PAD.decode(number).unwrap_or_default();
    match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) => {
            let length = match key.curve {
                EllipticCurve::P256 => 32,
                EllipticCurve::P384 => 48,
                _ => return false,
            };
            bytes(&key.x).len() == length && bytes(&key.y).len() == length
        }
        AlgorithmParameters::OctetKeyPair(key) => bytes(&key.x).len() == 32,
        AlgorithmParameters::RSA(key) => {
            let modulus = bytes(&key.n);
            let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
            let first = modulus.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
            (2048..=8192).contains(&((modulus.len() - zeros) * 8 - first))
        }
        _ => false,
    }
}

/// Returns the algorithm of a key: its `alg` if that fits its type and curve, or the default of these without `alg`.
fn algorithm(jwk: &Jwk, named: Option<&str>) -> Option<Algorithm> {
    let possible: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::Es256],
            EllipticCurve::P384 => &[Algorithm::Es384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDsa],
        AlgorithmParameters::RSA(_) => &[
            // The default. The keys of Entra ID have no `alg`.
            Algorithm::Rs256,
            Algorithm::Rs384,
            Algorithm::Rs512,
            Algorithm::Ps256,
            Algorithm::Ps384,
            Algorithm::Ps512,
        ],
        _ => &[],
    };
    match named {
        Some(name) => Algorithm::from_name(name).filter(|algorithm| possible.contains(algorithm)),
        None => possible.first().copied(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    // The public keys of RFC 7515, appendices A.2 and A.3, of RFC 8037, appendix A.2, and of RFC 7517, appendix A.1.
    fn ec256() -> Value {
        json!({
            "kty": "EC", "crv": "P-256",
            "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
            "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
        })
    }

    fn ed25519() -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    fn rsa() -> Value {
        json!({
            "kty": "RSA", "e": "AQAB",
            "n": concat!(
                "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1",
                "Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpa",
                "SHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4",
                "LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
            ),
        })
    }

    fn with(mut key: Value, members: &Value) -> Value {
        let members = members.as_object().unwrap().clone();
        key.as_object_mut().unwrap().extend(members);
        key
    }

    #[test]
    fn key_is_for_one_algorithm() {
        use Algorithm::{EdDsa, Es256, Ps384, Rs256};
        for (key, expected) in [
            (ec256(), Some(Es256)),
            (with(ec256(), &json!({"alg": "ES256"})), Some(Es256)),
            (with(ec256(), &json!({"alg": "ES384"})), None),
            (with(ec256(), &json!({"alg": "RS256"})), None),
            (with(ec256(), &json!({"alg": "HS256"})), None),
            (with(ec256(), &json!({"alg": "none"})), None),
            (with(ec256(), &json!({"alg": "ECDH-ES"})), None),
            (with(ec256(), &json!({"alg": 256})), None),
            (with(ec256(), &json!({"crv": "P-521"})), None),
            (with(ec256(), &json!({"crv": "secp256k1"})), None),
            (ed25519(), Some(EdDsa)),
            (with(ed25519(), &json!({"alg": "EdDSA"})), Some(EdDsa)),
            (with(ed25519(), &json!({"alg": "Ed25519"})), Some(EdDsa)),
            (with(ed25519(), &json!({"alg": "ES256"})), None),
            (with(ed25519(), &json!({"crv": "X25519"})), None),
            (with(ed25519(), &json!({"crv": "P-256"})), None),
            (rsa(), Some(Rs256)),
            (with(rsa(), &json!({"alg": "PS384"})), Some(Ps384)),
            (with(rsa(), &json!({"alg": "RSA-OAEP"})), None),
            (with(rsa(), &json!({"alg": "ES256"})), None),
            (json!({"kty": "oct", "k": "c2VjcmV0"}), None),
            (json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}), None),
            (json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}), None),
            (json!("key"), None),
        ] {
            assert_eq!(
                VerifyingKey::from_json(&key).map(|key| key.algorithm),
                expected,
                "{key}"
            );
        }
    }

    #[test]
    fn key_of_wrong_size_ignored() {
        let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let modulus = |length: usize, first: u8| {
            let mut modulus = vec![255; length];
            modulus[0] = first;
            json!({"n": number(&modulus)})
        };
        for (key, members, accepted) in [
            (ec256(), json!({"x": number(&[1; 31])}), false),
            (ec256(), json!({"y": number(&[1; 33])}), false),
            (ec256(), json!({"x": ""}), false),
            (ec256(), json!({"crv": "P-384"}), false),
            (ed25519(), json!({"x": number(&[1; 31])}), false),
            (ed25519(), json!({"x": number(&[1; 33])}), false),
            (rsa(), modulus(128, 128), false),
            (rsa(), modulus(256, 127), false),
            (rsa(), modulus(256, 128), true),
            (rsa(), modulus(257, 0), true),
            (rsa(), modulus(1024, 255), true),
            (rsa(), modulus(1025, 1), false),
            (rsa(), json!({"n": ""}), false),
        ] {
            let key = with(key, &members);
            assert_eq!(VerifyingKey::from_json(&key).is_some(), accepted, "{key}");
        }
    }

    proptest! {
        #[test]
        fn any_members_make_a_key_or_none(members in prop::collection::btree_map(
            "kty|crv|alg|use|key_ops|kid|x|y|n|e|issuer|[a-z]{1,5}",
            prop_oneof![
                "EC|OKP|RSA|P-256|P-384|Ed25519|ES256|RS256|sig|[A-Za-z0-9_-]{0,90}".prop_map(Value::from),
                any::<i64>().prop_map(Value::from),
                Just(json!(null)),
                Just(json!(["verify"])),
            ],
            0..10,
        )) {
            let members = json!(members);
            for key in [json!({}), ec256(), ed25519(), rsa()] {
                let key = with(key, &members);
                if let Some(read) = VerifyingKey::from_json(&key) {
                    prop_assert_eq!(json!(read.id), key.get("kid").cloned().unwrap_or_default());
                    prop_assert!(key["alg"].is_null() || key["alg"].is_string());
                }
            }
        }
    }

    #[test]
    fn key_with_another_use_ignored() {
        for (members, accepted) in [
            (json!({"use": "sig"}), true),
            (json!({"use": "enc"}), false),
            (json!({"use": "other"}), false),
            (json!({"key_ops": ["verify"]}), true),
            (json!({"key_ops": ["encrypt"]}), false),
            (json!({"key_ops": []}), false),
        ] {
            assert_eq!(
                VerifyingKey::from_json(&with(ec256(), &members)).is_some(),
                accepted,
                "{members}"
            );
        }
    }

    proptest! {
        #[test]
        fn keys_found_among_unusable_members(
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
            keys.push(with(ed25519(), &json!({"kid": "key"})));
            set["keys"] = json!(keys);
            let set = KeySet::parse(set.to_string().as_bytes(), &[Algorithm::EdDsa]).unwrap();
            prop_assert!(set.find(Some("key"), Algorithm::EdDsa).is_ok());
            prop_assert_eq!(set.0.len(), 1);
        }
    }
}
