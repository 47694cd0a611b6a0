//! An access key of the resource.

use aws_lc_rs::{error::Unspecified, hmac, rand};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    error::Error,
    fmt::{self, Debug, Display, Formatter},
    str::FromStr,
};

/// The access key of a resource, with which clients sign their requests.
///
/// Parsed from the base64 text after `accesskey=` in a connection string, with its padding. `Debug` does not show it.
#[derive(Clone)]
pub struct AccessKey {
    base64: String,
    hmac: hmac::Key,
}

impl AccessKey {
    /// Generates a key of 32 random bytes.
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes)?;
        Ok(Self::new(BASE64_STANDARD.encode(bytes), &bytes))
    }

    fn new(base64: String, bytes: &[u8]) -> Self {
        Self {
            base64,
            hmac: hmac::Key::new(hmac::HMAC_SHA256, bytes),
        }
    }

    /// The key in the form of a connection string.
    pub(crate) fn as_base64(&self) -> &str {
        &self.base64
    }

    /// Returns whether `signature` is the HMAC-SHA256 of `message` under this key, compared in constant time.
    pub(super) fn has_signed(&self, message: &str, signature: &[u8]) -> bool {
        hmac::verify(&self.hmac, message.as_bytes(), signature).is_ok()
    }

    /// The key of a client that takes other bytes for it. It has no text.
    pub(super) fn of_bytes(bytes: &[u8]) -> Self {
        Self::new(String::new(), bytes)
    }
}

impl FromStr for AccessKey {
    type Err = InvalidAccessKey;

    /// Parses a key from base64 text.
    ///
    /// # Errors
    ///
    /// [`InvalidAccessKey`] if the text is empty or is not padded standard base64.
    fn from_str(base64: &str) -> Result<Self, Self::Err> {
        match BASE64_STANDARD.decode(base64) {
            Ok(bytes) if !bytes.is_empty() => Ok(Self::new(base64.to_owned(), &bytes)),
            _ => Err(InvalidAccessKey),
        }
    }
}

impl Debug for AccessKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("AccessKey([redacted])")
    }
}

/// The text is not an access key. The error does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidAccessKey;

impl Display for InvalidAccessKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("the access key is not padded base64, as after `accesskey=` in a connection string")
    }
}

impl Error for InvalidAccessKey {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_is_nonempty_padded_base64() {
        for good in ["pw==", "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM="] {
            assert!(good.parse::<AccessKey>().is_ok(), "{good}");
        }
        for bad in ["", "pw", "pw=", "not base64", "pw==\n", "_-__"] {
            assert_eq!(bad.parse::<AccessKey>().err(), Some(InvalidAccessKey), "{bad}");
        }
    }

    #[test]
    fn hmac_matches_vectors_of_official_sdks() {
        let key: AccessKey = "pw==".parse().unwrap();
        for (message, mac) in [
            ("banana", "88EC05aAS9iXnaimtNO78JLjiPtfWryQB/5QYEzEsu8="),
            ("😀", "1rudJKjn2Zi+3hRrBG29wIF6pD6YyAeQR1ZcFtXoKAU="),
        ] {
            assert!(
                key.has_signed(message, &BASE64_STANDARD.decode(mac).unwrap()),
                "{message}"
            );
        }
    }

    #[test]
    fn generated_keys_differ_and_parse() {
        let (one, other) = (AccessKey::generate().unwrap(), AccessKey::generate().unwrap());
        assert_ne!(one.as_base64(), other.as_base64());
        assert!(one.as_base64().parse::<AccessKey>().is_ok());
    }

    #[test]
    fn debug_redacts_the_key() {
        let key: AccessKey = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=".parse().unwrap();
        assert_eq!(format!("{key:?}"), "AccessKey([redacted])");
    }
}
