//! A public key of an issuer, and what it is for.

use crate::algorithm::Algorithm;
use jsonwebtoken::{
    DecodingKey,
    crypto::aws_lc,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse},
};
use serde_json::Value;

/// A key that signatures are checked with, by the one algorithm that it is for.
pub(crate) struct VerifyingKey {
    pub(crate) id: Option<String>,
    pub(crate) algorithm: Algorithm,
    /// Whose tokens it signs, in the key sets that Entra ID shares among its tenants.
    pub(crate) issuer: Option<String>,
    key: DecodingKey,
}

impl VerifyingKey {
    /// Reads a member of a JWK set. There is none for a key that signs nothing, or in a way that is not supported:
    /// such keys are ignored ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517#section-5)).
    pub(crate) fn from_json(json: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(json.clone()).ok()?;
        if jwk
            .common
            .public_key_use
            .as_ref()
            .is_some_and(|purpose| *purpose != PublicKeyUse::Signature)
        {
            return None;
        }
        if jwk
            .common
            .key_operations
            .as_ref()
            .is_some_and(|uses| !uses.contains(&KeyOperations::Verify))
        {
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

    /// Whether this is the signature of a message by this key.
    pub(crate) fn verifies(&self, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider is named, as the process's default panics in a build that has several.
        (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&self.algorithm.jwa(), &self.key)
            .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }
}

/// The algorithm of a key: the one that it names, if that goes with its type and curve, or else the one that these have.
fn algorithm(jwk: &Jwk, named: Option<&str>) -> Option<Algorithm> {
    let possible: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => &[Algorithm::Es256],
            EllipticCurve::P384 => &[Algorithm::Es384],
            _ => &[],
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => &[Algorithm::EdDsa],
        AlgorithmParameters::RSA(_) => &[
            // Without a name, as in Entra ID's key sets, the usual one.
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
    fn a_key_is_for_one_algorithm() {
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
    fn a_key_that_is_for_something_else_is_ignored() {
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
}
