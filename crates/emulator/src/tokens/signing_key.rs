//! Signatures of tokens, and the public key to check them with.

use aws_lc_rs::{
    digest,
    encoding::{AsDer, Pkcs8V1Der},
    error::Unspecified,
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PKCS1_2048_8192_SHA256,
        RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
    },
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// Bytes of a P-256 coordinate.
const COORDINATE: usize = 32;
/// Bytes of a thumbprint: as many as SHA-1 has, which `x5t` implies.
const THUMBPRINT: usize = 20;

/// The algorithm of token signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TokenAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 and a key of 2048 bits, which the service uses.
    #[default]
    Rs256,
    /// ECDSA with P-256 and SHA-256, which the service does not use. Generating the key and signing take a fraction of
    /// the time, which matters to tests that ask for thousands of tokens.
    Es256,
}

/// A key pair, its public key as a JSON Web Key, and the header of its tokens.
pub(crate) struct SigningKey {
    pair: Pair,
    jwk: Jwk,
    /// A JOSE header as JSON, with its members in the service's order.
    header: String,
}

enum Pair {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
}

/// The public key as a JSON Web Key.
#[derive(Clone, Serialize)]
pub(crate) struct Jwk {
    #[serde(flatten)]
    parameters: JwkParameters,
    r#use: &'static str,
    alg: &'static str,
    kid: String,
}

#[derive(Clone, Serialize)]
#[serde(tag = "kty")]
enum JwkParameters {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: &'static str, x: String, y: String },
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    x5t: String,
    typ: &'a str,
}

impl SigningKey {
    pub(super) fn generate(algorithm: TokenAlgorithm) -> Result<Self, Unspecified> {
        Self::of(match algorithm {
            TokenAlgorithm::Rs256 => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048)?),
            TokenAlgorithm::Es256 => Pair::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?),
        })
    }

    /// Restores a key from its [`pkcs8`](Self::pkcs8).
    pub(super) fn restore(algorithm: TokenAlgorithm, pkcs8: &[u8]) -> Result<Self, Unspecified> {
        let pair = match algorithm {
            TokenAlgorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(Pair::Rsa),
            TokenAlgorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Pair::Ecdsa),
        };
        Self::of(pair.map_err(|_| Unspecified)?)
    }

    /// The private key.
    pub(super) fn pkcs8(&self) -> Result<Vec<u8>, Unspecified> {
        match &self.pair {
            Pair::Rsa(pair) => AsDer::<Pkcs8V1Der<'_>>::as_der(pair).map(|der| der.as_ref().to_vec()),
            Pair::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
        }
    }

    fn of(pair: Pair) -> Result<Self, Unspecified> {
        let alg = match pair {
            Pair::Rsa(_) => "RS256",
            Pair::Ecdsa(_) => "ES256",
        };
        // The service identifies its keys by certificate. Without one, the thumbprint is that of the public key.
        let digest = digest::digest(&digest::SHA256, pair.public_key());
        let thumbprint = digest.as_ref().get(..THUMBPRINT).ok_or(Unspecified)?;
        let kid = thumbprint
            .iter()
            .fold(String::new(), |kid, byte| kid + &format!("{byte:02X}"));
        let header = Header {
            alg,
            kid: &kid,
            x5t: BASE64_URL_SAFE_NO_PAD.encode(thumbprint),
            typ: "JWT",
        };
        Ok(Self {
            header: serde_json::to_string(&header).map_err(|_| Unspecified)?,
            jwk: Jwk {
                parameters: pair.jwk_parameters()?,
                r#use: "sig",
                alg,
                kid,
            },
            pair,
        })
    }

    pub(super) fn header(&self) -> &str {
        &self.header
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Pair::Ecdsa(pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
        }
    }

    /// Returns whether `signature` is this key's signature of `message`.
    pub(super) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = self.pair.public_key();
        let outcome = match &self.pair {
            Pair::Rsa(_) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key).verify(message, signature),
            Pair::Ecdsa(_) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key).verify(message, signature),
        };
        outcome.is_ok()
    }

    pub(crate) fn jwk(&self) -> &Jwk {
        &self.jwk
    }
}

impl Pair {
    fn public_key(&self) -> &[u8] {
        match self {
            Self::Rsa(pair) => pair.public_key().as_ref(),
            Self::Ecdsa(pair) => pair.public_key().as_ref(),
        }
    }

    fn jwk_parameters(&self) -> Result<JwkParameters, Unspecified> {
        let encode = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        match self {
            Self::Rsa(pair) => Ok(JwkParameters::Rsa {
                n: encode(pair.public_key().modulus().big_endian_without_leading_zero()),
                e: encode(pair.public_key().exponent().big_endian_without_leading_zero()),
            }),
            Self::Ecdsa(pair) => {
                // An uncompressed point: the byte 4, then both coordinates.
                let point = pair.public_key().as_ref();
                let (x, y) = point
                    .strip_prefix(&[4])
                    .and_then(|coordinates| coordinates.split_at_checked(COORDINATE))
                    .ok_or(Unspecified)?;
                Ok(JwkParameters::Ec {
                    crv: "P-256",
                    x: encode(x),
                    y: encode(y),
                })
            }
        }
    }
}
