//! Verification codes and their hashes.
//!
//! There are 52⁶ × 1000 codes, some 2 × 10¹³. A graphics card hashes all of them in an hour, so a plain hash in a queue or a
//! table would reveal the codes. An HMAC does not without its key. The API holds that key; the queue, the table and the
//! watchers do not need it.
//!
//! A code is looked up by its HMAC. The time of that can depend on how many leading bytes agree with a stored one. Without
//! the key, a caller cannot choose those bytes, so the time reveals nothing.

use aws_lc_rs::{
    error::Unspecified,
    hmac::{Context, HMAC_SHA256, Key},
    rand::{SecureRandom, SystemRandom},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize, Serializer};
use zeroize::Zeroizing;

const LETTERS: &[u8; 52] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The bound below which each letter stands for equally many bytes. Other bytes are drawn again.
const FAIR_BYTES: u8 = u8::MAX - u8::MAX % 52;

/// A code such as `ojE-161-pTv`. It has no `Debug`, as only its user may see it.
pub(crate) struct VerificationCode(Zeroizing<String>);

impl VerificationCode {
    /// Generates a code around a number, with letters from the system's cryptographic random source.
    ///
    /// # Errors
    ///
    /// If the system provides no randomness.
    pub(crate) fn generate(number: u32) -> Result<Self, Unspecified> {
        let random = SystemRandom::new();
        Self::around(number, |byte| random.fill(byte))
    }

    fn around<E>(number: u32, mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let first = letters(&mut fill)?;
        let last = letters(&mut fill)?;
        Ok(Self(format!("{}-{number}-{}", *first, *last).into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for VerificationCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// Draws three letters.
fn letters<E>(fill: &mut impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Zeroizing<String>, E> {
    let mut letters = Zeroizing::new(String::with_capacity(3));
    while letters.len() < 3 {
        let mut byte = [0];
        fill(&mut byte)?;
        letters.extend(byte.into_iter().filter_map(letter));
    }
    Ok(letters)
}

fn letter(byte: u8) -> Option<char> {
    (byte < FAIR_BYTES)
        .then(|| LETTERS.get(usize::from(byte % 52)))
        .flatten()
        .copied()
        .map(char::from)
}

/// The HMAC-SHA256 of a code and its user, in base64url.
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

/// The HMAC-SHA256 of a caller and the operation whose attempts are counted, in base64url.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CallerHash(String);

impl CallerHash {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Hashes codes and callers under one key.
#[derive(Clone)]
pub(crate) struct CodeHasher(Key);

impl CodeHasher {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Key::new(HMAC_SHA256, key))
    }

    /// Hashes a code for the user who requested it, or for any user if `subject` is `None`. The same code has another hash
    /// for another user, and is not found.
    pub(crate) fn hash(&self, subject: Option<&str>, code: &str) -> CodeHash {
        let mut context = Context::with_key(&self.0);
        // The length separates the subject from the code.
        let length = subject.map_or(u64::MAX, |subject| u64::try_from(subject.len()).unwrap_or(u64::MAX));
        context.update(&length.to_be_bytes());
        context.update(subject.unwrap_or_default().as_bytes());
        context.update(code.as_bytes());
        CodeHash(BASE64_URL_SAFE_NO_PAD.encode(context.sign()))
    }

    /// Hashes a caller and an operation, neither of which the table shows. No code has the same hash.
    pub(crate) fn hash_caller(&self, operation: &str, caller: &str) -> CallerHash {
        let mut context = Context::with_key(&self.0);
        // No subject has this length.
        context.update(&(u64::MAX - 1).to_be_bytes());
        context.update(&u64::try_from(operation.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(operation.as_bytes());
        context.update(caller.as_bytes());
        CallerHash(BASE64_URL_SAFE_NO_PAD.encode(context.sign()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{HashMap, HashSet};

    /// Generates a code from these random bytes.
    fn code_from(bytes: &[u8]) -> Option<String> {
        let mut bytes = bytes.iter();
        let code = VerificationCode::around(161, |byte| {
            byte[0] = *bytes.next().ok_or(())?;
            Ok::<_, ()>(())
        });
        code.ok().map(|code| code.as_str().to_owned())
    }

    #[test]
    fn letters_come_from_random_bytes() {
        assert_eq!(code_from(&[0, 25, 26, 51, 1, 27]).as_deref(), Some("AZa-161-zBb"));
        assert_eq!(code_from(&[52, 77, 78, 207, 1, 27]).as_deref(), Some("AZa-161-zBb"));
    }

    #[test]
    fn biased_bytes_are_drawn_again() {
        assert_eq!(
            code_from(&[208, 0, 255, 0, 230, 0, 0, 0, 0]).as_deref(),
            Some("AAA-161-AAA")
        );
    }

    #[test]
    fn letters_are_equally_likely() {
        let mut counts = HashMap::new();
        for letter in (0..=u8::MAX).filter_map(letter) {
            *counts.entry(letter).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 52);
        assert!(counts.values().all(|count| *count == 4));
    }

    #[test]
    fn missing_randomness_is_an_error() {
        assert_eq!(code_from(&[0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn codes_differ() {
        let codes: HashSet<String> = (0..100)
            .map(|_| VerificationCode::generate(7).unwrap().as_str().to_owned())
            .collect();
        assert_eq!(codes.len(), 100);
    }

    fn hasher() -> CodeHasher {
        CodeHasher::new(b"0123456789abcdef0123456789abcdef")
    }

    /// The expected values are from Python's `hmac`.
    #[test]
    fn hash_is_an_hmac() {
        let hash = |subject| hasher().hash(subject, "ojE-161-pTv").as_str().to_owned();
        assert_eq!(hash(Some("alice")), "lUBUuvVWDtFx4riyaTjB3Vdm0yZiriG9pgT3QXs3640");
        assert_eq!(hash(None), "7CR0CYp-uDcE5YwQyeyQpHo-9tvVPSSQzKdktvfjOy4");
    }

    #[test]
    fn hash_depends_on_user_and_key() {
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
    fn caller_has_another_hash_for_each_operation() {
        let hashes = [
            hasher().hash_caller("issue", "alice"),
            hasher().hash_caller("issue", "bob"),
            hasher().hash_caller("verify", "alice"),
            hasher().hash_caller("issuea", "lice"),
            CodeHasher::new(b"another").hash_caller("issue", "alice"),
        ];
        for (index, hash) in hashes.iter().enumerate() {
            assert_eq!(hash.as_str().len(), 43);
            assert!(!hashes[..index].contains(hash), "{hash:?}");
        }
        assert_eq!(hashes[0], hasher().hash_caller("issue", "alice"));
    }

    #[test]
    fn malformed_hashes_are_refused() {
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
