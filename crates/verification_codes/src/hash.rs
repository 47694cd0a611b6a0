//! What of a code is stored and sent.
//!
//! There are 52⁶ × 1000 codes, some 2 × 10¹³: a graphics card hashes all of them in an hour, so a plain hash in a queue or a
//! table would give the codes away. An HMAC does not without its key. That key is with those who issue and check codes;
//! the queue, the table and the watchers have no need of it.
//!
//! A code is looked up by its HMAC. How long that takes may depend on how many leading bytes agree with a stored one, but
//! who guesses codes cannot choose those bytes without the key, so the time tells nothing.

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

/// The HMAC-SHA256 of a code and whose it is, in base64url.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String")]
pub(crate) struct CodeHash(String);

impl CodeHash {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for CodeHash {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        match BASE64_URL_SAFE_NO_PAD.decode(&text) {
            Ok(bytes) if bytes.len() == 32 => Ok(Self(text)),
            _ => Err("a hash is 32 bytes in base64url"),
        }
    }
}

/// Hashes codes.
#[derive(Clone)]
pub(crate) struct CodeHasher(Key);

impl CodeHasher {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Key::new(HMAC_SHA256, key))
    }

    /// The hash of a code for the user who asked for it, or for anybody if it is not known who did. What another user
    /// enters has another hash, and is not found.
    pub(crate) fn hash(&self, subject: Option<&str>, code: &str) -> CodeHash {
        let mut context = Context::with_key(&self.0);
        // The length keeps what is the subject's from being taken for the code's.
        let length = subject.map_or(u64::MAX, |subject| u64::try_from(subject.len()).unwrap_or(u64::MAX));
        context.update(&length.to_be_bytes());
        context.update(subject.unwrap_or_default().as_bytes());
        context.update(code.as_bytes());
        CodeHash(BASE64_URL_SAFE_NO_PAD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hasher() -> CodeHasher {
        CodeHasher::new(b"0123456789abcdef0123456789abcdef")
    }

    /// The expected values are those of Python's `hmac`.
    #[test]
    fn a_hash_is_an_hmac() {
        let hash = |subject| hasher().hash(subject, "ojE-161-pTv").as_str().to_owned();
        assert_eq!(hash(Some("alice")), "lUBUuvVWDtFx4riyaTjB3Vdm0yZiriG9pgT3QXs3640");
        assert_eq!(hash(None), "7CR0CYp-uDcE5YwQyeyQpHo-9tvVPSSQzKdktvfjOy4");
    }

    #[test]
    fn a_code_has_another_hash_for_another_user_or_under_another_key() {
        let of_alice = hasher().hash(Some("alice"), "ojE-161-pTv");
        assert_ne!(of_alice, hasher().hash(Some("bob"), "ojE-161-pTv"));
        assert_ne!(of_alice, hasher().hash(None, "ojE-161-pTv"));
        assert_ne!(of_alice, hasher().hash(Some("alice"), "ojE-162-pTv"));
        assert_ne!(of_alice, hasher().hash(Some("aliceo"), "jE-161-pTv"));
        assert_ne!(of_alice, CodeHasher::new(b"another").hash(Some("alice"), "ojE-161-pTv"));
        assert_ne!(
            hasher().hash(Some(""), "ojE-161-pTv"),
            hasher().hash(None, "ojE-161-pTv")
        );
    }

    #[test]
    fn only_a_hash_is_taken_for_one() {
        let hash = hasher().hash(None, "ojE-161-pTv").as_str().to_owned();
        assert_eq!(CodeHash::try_from(hash.clone()).unwrap().as_str(), hash);
        for text in [
            "",
            "ojE-161-pTv",
            "AAAA",
            &"A".repeat(44),
            &hash[1..],
            &format!("{hash}="),
            &format!("{hash}AA"),
        ] {
            assert!(CodeHash::try_from(text.to_owned()).is_err(), "{text}");
        }
    }
}
