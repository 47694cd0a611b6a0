//! Tokens made by hand, with nothing but aws-lc-rs and base64.

use aws_lc_rs::{
    encoding::{AsDer, PublicKeyX509Der},
    hmac,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
        RSA_PSS_SHA512, RsaEncoding, RsaKeyPair, RsaPublicKeyComponents,
    },
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

pub(crate) fn base64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs a token with exactly these parts.
pub(crate) fn token(header: &str, claims: &str, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", base64(header), base64(claims));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", base64(signature))
}

pub(crate) enum Key {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Key {
    pub(crate) fn p256() -> Self {
        Self::P256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn p384() -> Self {
        Self::P384(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
    }

    pub(crate) fn ed25519() -> Self {
        Self::Ed25519(Ed25519KeyPair::generate().unwrap())
    }

    pub(crate) fn rsa() -> Self {
        Self::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap())
    }

    pub(crate) fn jwk(&self, id: &str) -> Value {
        let ec = |curve, pair: &EcdsaKeyPair| {
            let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
            json!({"kty": "EC", "crv": curve, "kid": id, "x": base64(x), "y": base64(y)})
        };
        match self {
            Self::P256(pair) => ec("P-256", pair),
            Self::P384(pair) => ec("P-384", pair),
            Self::Ed25519(pair) => json!({"kty": "OKP", "crv": "Ed25519", "kid": id, "x": base64(pair.public_key())}),
            Self::Rsa(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                json!({"kty": "RSA", "kid": id, "n": base64(public.n), "e": base64(public.e)})
            }
        }
    }

    pub(crate) fn sign(&self, algorithm: &str, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::P256(pair) | Self::P384(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Rsa(pair) => {
                let encoding: &dyn RsaEncoding = match algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    other => panic!("{other} is not for RSA"),
                };
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// Signs a token with the algorithm of its header.
    pub(crate) fn token(&self, header: &Value, claims: &Value) -> String {
        let algorithm = header["alg"].as_str().unwrap_or_default().to_owned();
        token(&header.to_string(), &claims.to_string(), |message| {
            self.sign(&algorithm, message)
        })
    }

    /// Returns the public key in the forms that a forger can find: point, DER.
    pub(crate) fn public_forms(&self) -> Vec<Vec<u8>> {
        let Self::P384(pair) = self else { panic!("not P-384") };
        let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
        vec![pair.public_key().as_ref().to_vec(), der.as_ref().to_vec()]
    }

    /// Returns a signature in ASN.1, which is not the form of JWS.
    pub(crate) fn sign_asn1(&self, message: &[u8]) -> Vec<u8> {
        let Self::P384(pair) = self else { panic!("not P-384") };
        let pkcs8 = pair.to_pkcs8v1().unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
        pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

pub(crate) fn hmac_sha256(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), message)
        .as_ref()
        .to_vec()
}

pub(crate) fn hmac_sha384(secret: &[u8], message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA384, secret), message)
        .as_ref()
        .to_vec()
}
