//! The public keys of an issuer, each for the algorithms of its type.

use crate::{algorithm::Algorithm, bounded::bounded, error::TokenFault, json_object};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use client_core::{json, jwt::BASE64URL};
use jsonwebtoken::{DecodingKey, crypto::aws_lc};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};
use std::{fmt, sync::Arc};

/// The algorithms of RSA keys, in the order of preference of a log.
const RSA: [Algorithm; 6] = [
    Algorithm::Rs256,
    Algorithm::Rs384,
    Algorithm::Rs512,
    Algorithm::Ps256,
    Algorithm::Ps384,
    Algorithm::Ps512,
];

/// The members of a token's header that choose a key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyHint<'a> {
    pub(crate) id: Option<&'a str>,
    /// The `x5t`, which AD FS writes in place of `kid`.
    pub(crate) thumbprint: Option<&'a str>,
}

impl KeyHint<'_> {
    /// Returns whether the token names a key.
    pub(super) fn is_named(self) -> bool {
        self.id.is_some() || self.thumbprint.is_some()
    }
}

/// A JWK set ([RFC 7517](https://www.rfc-editor.org/rfc/rfc7517#section-5)), reduced to the keys that can verify tokens.
#[derive(Debug)]
pub(crate) struct KeySet(Vec<Arc<VerifyingKey>>);

impl KeySet {
    /// Parses a set. Returns `None` if it has no key for one of these algorithms.
    pub(crate) fn parse(json: &[u8], algorithms: &[Algorithm]) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Box<RawValue>>,
        }

        let set: Set = json::object(json)?;
        let keys = set.keys.iter().map(|key| json_object::value(key));
        let keys = keys.filter_map(|key| VerifyingKey::read(&key, algorithms));
        let keys: Vec<_> = keys.map(Arc::new).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// Returns the key with the id of a token, or the only key that fits a token without `kid`.
    ///
    /// A set can have an RSA key once for each of its algorithms, with the same id. The algorithm of the token chooses
    /// among these, but never how a key is used.
    pub(crate) fn find(&self, hint: KeyHint<'_>, algorithm: Algorithm) -> Result<Arc<VerifyingKey>, TokenFault> {
        let fits = |key: &&Arc<VerifyingKey>| key.algorithms.contains(&algorithm);
        if let Some(id) = hint.id {
            let mut named = self.0.iter().filter(|key| key.id.as_deref() == Some(id)).peekable();
            if named.peek().is_none() {
                return Err(TokenFault::UnknownKey);
            }
            return named.find(fits).cloned().ok_or(TokenFault::Algorithm);
        }
        let fitting: Vec<_> = self.0.iter().filter(fits).collect();
        let named = fitting.iter().find(|key| key.has_thumbprint(hint.thumbprint));
        match (named, fitting.as_slice()) {
            (Some(key), _) => Ok(Arc::clone(key)),
            // A token that names a certificate does not fit the key of another one.
            (None, [only]) if hint.thumbprint.is_none() || only.thumbprint.is_none() => Ok(Arc::clone(only)),
            (None, []) => Err(TokenFault::Algorithm),
            (None, _) => Err(TokenFault::UnknownKey),
        }
    }

    /// Returns the ids of the keys, for a log.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|key| key.id.as_deref())
    }

    /// Returns the algorithms of the key with the id of a token, or else of all keys, for a log.
    pub(crate) fn algorithms(&self, id: Option<&str>) -> Vec<Algorithm> {
        let is_named = |key: &&Arc<VerifyingKey>| id.is_some() && key.id.as_deref() == id;
        let is_any_named = self.0.iter().any(|key| is_named(&key));
        let keys = self.0.iter().filter(|key| !is_any_named || is_named(key));
        let held: Vec<_> = keys.flat_map(|key| key.algorithms.iter().copied()).collect();
        Algorithm::ALL
            .into_iter()
            .filter(|algorithm| held.contains(algorithm))
            .collect()
    }
}

/// A key that verifies signatures by the algorithms of its type, or by one of them.
pub(crate) struct VerifyingKey {
    id: Option<String>,
    thumbprint: Option<String>,
    algorithms: Vec<Algorithm>,
    /// The `issuer` of the key. Entra ID has it in the key sets that its tenants share.
    pub(crate) issuer: Option<String>,
    key: DecodingKey,
}

impl VerifyingKey {
    /// Reads a member of a JWK set. Skips a key that has another use, is not supported or cannot be read, as
    /// [RFC 7517](https://www.rfc-editor.org/rfc/rfc7517#section-5) demands, and says so in the log.
    fn read(json: &Value, algorithms: &[Algorithm]) -> Option<Self> {
        let key = Self::from_json(json).and_then(|mut key| {
            key.algorithms.retain(|algorithm| algorithms.contains(algorithm));
            let is_usable = !key.algorithms.is_empty();
            is_usable.then_some(key).ok_or("its algorithm is not allowed")
        });
        let skipped = |reason: &&str| {
            let id = json.get("kid").and_then(Value::as_str).unwrap_or_default();
            tracing::debug!(kid = bounded(id), reason, "a key of the issuer is skipped");
        };
        key.inspect_err(skipped).ok()
    }

    /// Reads a key. `null` is an absent member; members that are not needed are ignored.
    pub(crate) fn from_json(json: &Value) -> Result<Self, &'static str> {
        let members = Members(json.as_object().ok_or("it is not an object")?);
        members.check_use()?;
        let (key, possible) = members.key()?;
        let algorithms = match members.text("alg")? {
            None => possible,
            Some(name) => {
                let named = Algorithm::from_name(name).filter(|named| possible.contains(named));
                vec![named.ok_or("its alg is not supported, or does not fit its type")?]
            }
        };
        Ok(Self {
            id: members.text("kid")?.map(str::to_owned),
            thumbprint: members.text("x5t").unwrap_or_default().map(str::to_owned),
            algorithms,
            // A key whose issuer cannot be read must not count as one of all issuers.
            issuer: members.text("issuer")?.map(str::to_owned),
            key,
        })
    }

    /// Returns whether `signature` is the signature of the message by this key.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &Vec<u8>) -> bool {
        // The provider is named, as the process's default panics in a build that has several.
        self.algorithms.contains(&algorithm)
            && (aws_lc::DEFAULT_PROVIDER.verifier_factory)(&algorithm.jwa(), &self.key)
                .is_ok_and(|verifier| verifier.verify(message, signature).is_ok())
    }

    /// Returns whether a token names this key, rather than that the key is the only one.
    pub(super) fn is_named_by(&self, hint: KeyHint<'_>) -> bool {
        hint.id.is_some() || self.has_thumbprint(hint.thumbprint)
    }

    /// Returns whether this is the key of a certificate. Issuers have its thumbprint as `x5t`, as `kid`, or as both.
    fn has_thumbprint(&self, thumbprint: Option<&str>) -> bool {
        thumbprint.is_some() && [self.thumbprint.as_deref(), self.id.as_deref()].contains(&thumbprint)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}

/// The members of a JWK.
struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<&'a str>, &'static str> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err("a member that must be a text is of another type"),
        }
    }

    /// Reads a number in base64url, with or without padding.
    fn number(&self, name: &str) -> Result<Vec<u8>, &'static str> {
        let text = self.text(name)?.ok_or("a number of the key is missing")?;
        BASE64URL
            .decode(text)
            .map_err(|_| "a number of the key is not base64url")
    }

    /// Checks that `use` and `key_ops` allow the verification of signatures.
    fn check_use(&self) -> Result<(), &'static str> {
        const OTHER: &str = "it is not for signatures";
        if self.text("use")?.is_some_and(|key_use| key_use != "sig") {
            return Err(OTHER);
        }
        match self.get("key_ops") {
            None => Ok(()),
            Some(Value::Array(operations)) if operations.iter().any(|operation| operation == "verify") => Ok(()),
            Some(_) => Err(OTHER),
        }
    }

    /// Reads the key, and the algorithms of its type and curve.
    ///
    /// The numbers must have the length of the curve ([RFC 7518](https://www.rfc-editor.org/rfc/rfc7518#section-6.2.1.2),
    /// [RFC 8037](https://www.rfc-editor.org/rfc/rfc8037#section-2)), and an RSA modulus 2048 to 8192 bits, which is what
    /// aws-lc verifies with.
    fn key(&self) -> Result<(DecodingKey, Vec<Algorithm>), &'static str> {
        const UNSUPPORTED: &str = "its type or curve is not supported";
        const SIZE: &str = "a number of the key has the wrong length";
        let curve = self.text("crv");
        match self.text("kty")?.ok_or("it has no kty")? {
            "EC" => {
                let (length, algorithm) = match curve? {
                    Some("P-256") => (32, Algorithm::Es256),
                    Some("P-384") => (48, Algorithm::Es384),
                    _ => return Err(UNSUPPORTED),
                };
                let (x, y) = (self.number("x")?, self.number("y")?);
                if x.len() != length || y.len() != length {
                    return Err(SIZE);
                }
                let key = DecodingKey::from_ec_components(&URL_SAFE_NO_PAD.encode(x), &URL_SAFE_NO_PAD.encode(y));
                Ok((key.map_err(|_| UNSUPPORTED)?, vec![algorithm]))
            }
            "OKP" => {
                if curve? != Some("Ed25519") {
                    return Err(UNSUPPORTED);
                }
                let x = self.number("x")?;
                if x.len() != 32 {
                    return Err(SIZE);
                }
                let key = DecodingKey::from_ed_components(&URL_SAFE_NO_PAD.encode(x));
                Ok((key.map_err(|_| UNSUPPORTED)?, vec![Algorithm::EdDsa]))
            }
            "RSA" => {
                let (modulus, exponent) = (self.number("n")?, self.number("e")?);
                if !(2048..=8192).contains(&bits(&modulus)) {
                    return Err(SIZE);
                }
                Ok((DecodingKey::from_rsa_raw_components(&modulus, &exponent), RSA.to_vec()))
            }
            _ => Err(UNSUPPORTED),
        }
    }
}

/// Returns the length of a number without leading zeros.
fn bits(number: &[u8]) -> usize {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(zeros).map_or(0, |byte| byte.leading_zeros() as usize);
    (number.len() - zeros) * 8 - first
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

    /// The key of RFC 7520, section 3.3.
    fn rsa_of_cookbook() -> Value {
        json!({
            "kty": "RSA", "e": "AQAB", "use": "sig", "kid": "bilbo.baggins@hobbiton.example",
            "n": concat!(
                "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz",
                "_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHY",
                "pPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU",
                "4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw",
            ),
        })
    }

    fn with(mut key: Value, members: &Value) -> Value {
        let members = members.as_object().unwrap().clone();
        key.as_object_mut().unwrap().extend(members);
        key
    }

    fn algorithms(key: &Value) -> Vec<Algorithm> {
        VerifyingKey::from_json(key).map_or(Vec::new(), |key| key.algorithms)
    }

    fn named(id: &str) -> KeyHint<'_> {
        KeyHint {
            id: Some(id),
            thumbprint: None,
        }
    }

    #[test]
    fn key_is_for_the_algorithms_of_its_type() {
        use Algorithm::{EdDsa, Es256, Ps384};
        let none = Vec::new;
        for (key, expected) in [
            (ec256(), vec![Es256]),
            (with(ec256(), &json!({"alg": "ES256"})), vec![Es256]),
            (with(ec256(), &json!({"alg": null})), vec![Es256]),
            (with(ec256(), &json!({"alg": "ES384"})), none()),
            (with(ec256(), &json!({"alg": "RS256"})), none()),
            (with(ec256(), &json!({"alg": "HS256"})), none()),
            (with(ec256(), &json!({"alg": "none"})), none()),
            (with(ec256(), &json!({"alg": "ECDH-ES"})), none()),
            (with(ec256(), &json!({"alg": 256})), none()),
            (with(ec256(), &json!({"crv": "P-521"})), none()),
            (with(ec256(), &json!({"crv": "secp256k1"})), none()),
            (ed25519(), vec![EdDsa]),
            (with(ed25519(), &json!({"alg": "EdDSA"})), vec![EdDsa]),
            (with(ed25519(), &json!({"alg": "Ed25519"})), vec![EdDsa]),
            (with(ed25519(), &json!({"alg": "ES256"})), none()),
            (with(ed25519(), &json!({"crv": "X25519"})), none()),
            (with(ed25519(), &json!({"crv": "P-256"})), none()),
            (rsa(), RSA.to_vec()),
            (with(rsa(), &json!({"alg": "PS384"})), vec![Ps384]),
            (with(rsa(), &json!({"alg": "RSA-OAEP"})), none()),
            (with(rsa(), &json!({"alg": "ES256"})), none()),
            (with(rsa(), &json!({"alg": "HS256"})), none()),
            (json!({"kty": "oct", "k": "c2VjcmV0"}), none()),
            (json!({"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}), none()),
            (json!({"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}), none()),
            (json!("key"), none()),
        ] {
            assert_eq!(algorithms(&key), expected, "{key}");
        }
    }

    #[test]
    fn signatures_of_the_rfcs_verified_by_one_algorithm() {
        use Algorithm::{EdDsa, Es256, Ps384, Rs256};
        // RFC 7515, appendices A.2 and A.3; RFC 8037, appendix A.4; RFC 7520, section 4.2. None of the keys has an `alg`.
        const JOE: &str =
            "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
        const ROAD: &str = concat!(
            "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9h",
            "ZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3",
            "ZXB0IG9mZiB0by4",
        );
        let vectors = [
            (
                rsa(),
                Rs256,
                format!("eyJhbGciOiJSUzI1NiJ9.{JOE}"),
                concat!(
                    "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb",
                    "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383",
                    "LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy",
                    "wlVmtVrBp0igcN_IoypGlUPQGe77Rw",
                ),
            ),
            (
                ec256(),
                Es256,
                format!("eyJhbGciOiJFUzI1NiJ9.{JOE}"),
                "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                ed25519(),
                EdDsa,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc".to_owned(),
                "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
            (
                rsa_of_cookbook(),
                Ps384,
                format!("eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.{ROAD}"),
                concat!(
                    "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6",
                    "_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3",
                    "lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6G",
                    "YmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw",
                ),
            ),
        ];
        for (key, algorithm, message, signature) in vectors {
            let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
            let key = VerifyingKey::from_json(&key).unwrap();
            for other in Algorithm::ALL {
                let verified = key.verifies(other, message.as_bytes(), &signature);
                assert_eq!(verified, other == algorithm, "{algorithm:?} as {other:?}");
            }
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
            (rsa(), json!({"e": null}), false),
            (rsa(), json!({"e": "AQAB=="}), false),
        ] {
            let key = with(key, &members);
            assert_eq!(VerifyingKey::from_json(&key).is_ok(), accepted, "{key}");
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
                if let Ok(read) = VerifyingKey::from_json(&key) {
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
            (json!({"use": null, "key_ops": null}), true),
            (json!({"use": "enc"}), false),
            (json!({"use": "other"}), false),
            (json!({"use": ["sig"]}), false),
            (json!({"key_ops": ["verify"]}), true),
            (json!({"key_ops": ["sign", 7, "verify"]}), true),
            (json!({"key_ops": ["encrypt"]}), false),
            (json!({"key_ops": []}), false),
            (json!({"key_ops": "verify"}), false),
        ] {
            assert_eq!(
                VerifyingKey::from_json(&with(ec256(), &members)).is_ok(),
                accepted,
                "{members}"
            );
        }
    }

    #[test]
    fn token_without_kid_takes_the_only_key_that_fits() {
        use Algorithm::{EdDsa, Es256, Es384, Rs256};
        let thumb = |thumbprint| KeyHint {
            id: None,
            thumbprint: Some(thumbprint),
        };
        let nothing = KeyHint::default();
        let set =
            |keys: &[Value]| KeySet::parse(json!({"keys": keys}).to_string().as_bytes(), &Algorithm::ALL).unwrap();
        let key = |key: Value, id: &str, x5t: &str| with(key, &json!({"kid": id, "x5t": x5t}));
        let set = set(&[
            key(ec256(), "a", "A"),
            with(ed25519(), &json!({"kid": "b"})),
            key(rsa(), "c", "C"),
            key(rsa_of_cookbook(), "d", "D"),
        ]);
        for (hint, algorithm, expected) in [
            (nothing, Es256, Ok("a")),
            (nothing, EdDsa, Ok("b")),
            (nothing, Es384, Err(TokenFault::Algorithm)),
            (nothing, Rs256, Err(TokenFault::UnknownKey)),
            (thumb("D"), Rs256, Ok("d")),
            (thumb("d"), Rs256, Ok("d")),
            (thumb("E"), Rs256, Err(TokenFault::UnknownKey)),
            (thumb("D"), Es256, Err(TokenFault::UnknownKey)),
            (thumb("A"), Es256, Ok("a")),
            (thumb("D"), EdDsa, Ok("b")),
            (named("a"), Es256, Ok("a")),
            (named("a"), Rs256, Err(TokenFault::Algorithm)),
            (named("A"), Es256, Err(TokenFault::UnknownKey)),
            (named(""), Es256, Err(TokenFault::UnknownKey)),
            (
                KeyHint {
                    id: Some("c"),
                    thumbprint: Some("D"),
                },
                Rs256,
                Ok("c"),
            ),
        ] {
            let found = set.find(hint, algorithm).map(|key| key.id.clone().unwrap());
            assert_eq!(
                found.as_deref().map_err(|fault| *fault),
                expected,
                "{hint:?} {algorithm:?}"
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
            prop_assert!(set.find(named("key"), Algorithm::EdDsa).is_ok());
            prop_assert_eq!(set.0.len(), 1);
        }
    }
}
