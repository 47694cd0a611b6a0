//! JSON Web Tokens (RFC 7519), read without checking their signature.

use crate::json;
#[cfg(feature = "azure")]
use azure_core::time::OffsetDateTime;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};
use std::fmt;

/// The URL-safe alphabet of tokens (RFC 7515, section 2), with or without padding.
pub const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest token that is read, in bytes. Those of Azure have two or three thousand.
const MAX_LEN: usize = 64 * 1024;

/// The reason why a text is not a JSON Web Token. It shows nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAToken(&'static str);

impl NotAToken {
    /// The claims are not those that the reader needs.
    pub const WRONG_CLAIMS: Self = Self("its claims are not those of an access token");
}

impl fmt::Display for NotAToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for NotAToken {}

/// Reads the claims of a token, **unverified**.
///
/// # Errors
///
/// The text is not a JSON Web Token, or is longer than 64 KiB.
pub fn unverified_claims(token: &str) -> Result<Map<String, Value>, NotAToken> {
    if token.len() > MAX_LEN {
        return Err(NotAToken("it is longer than 64 KiB"));
    }
    let mut parts = token.split('.');
    let (Some(_header), Some(payload), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(NotAToken("it does not consist of three parts"));
    };
    let claims = BASE64URL.decode(payload);
    let claims = claims.map_err(|_| NotAToken("its second part is not base64url"))?;
    json::object(&claims).ok_or(NotAToken::WRONG_CLAIMS)
}

/// Reads a `NumericDate` (RFC 7519, section 2), which may have a fraction. It is rounded down to whole seconds.
#[cfg(feature = "azure")]
#[must_use]
pub fn numeric_date(claim: &Value) -> Option<OffsetDateTime> {
    let seconds = claim.as_i64().or_else(|| {
        let seconds = claim.as_f64()?.floor();
        // A cast of a number that is out of range saturates, and such a date is out of range as well.
        #[expect(clippy::cast_possible_truncation, reason = "the fraction is gone")]
        Some(seconds as i64)
    })?;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_base64url_with_or_without_padding() {
        // Encoded with Python's base64. It holds both characters that standard base64 does not have.
        for payload in ["eyJhIjoiw78_w75-In0", "eyJhIjoiw78_w75-In0="] {
            let claims = unverified_claims(&format!("e30.{payload}.c2ln")).unwrap();
            assert_eq!(claims["a"], "ÿ?þ~");
        }
    }

    #[test]
    fn anything_else_is_refused_without_being_shown() {
        for (token, reason) in [
            ("", "three parts"),
            ("SECRET", "three parts"),
            ("SECRET.SECRET", "three parts"),
            ("SECRET.SECRET.SECRET.SECRET", "three parts"),
            ("a.SECRET+/.c", "not base64url"),
            ("a.S.c", "not base64url"),
            ("foo.bar.tar", "not base64url"),
            ("a.U0VDUkVU.c", "not those"),
            ("a..c", "not those"),
            // ["SECRET"]
            ("a.WyJTRUNSRVQiXQ.c", "not those"),
        ] {
            let error = unverified_claims(token).unwrap_err();
            assert!(error.to_string().contains(reason), "{token}: {error}");
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        }
        let long = format!("a.{}.c", "A".repeat(MAX_LEN));
        assert_eq!(
            unverified_claims(&long).unwrap_err().to_string(),
            "it is longer than 64 KiB"
        );
    }

    #[cfg(feature = "azure")]
    #[test]
    fn dates_are_rounded_down_or_refused() {
        use serde_json::json;

        for (claim, seconds) in [
            (json!(1_700_000_000), Some(1_700_000_000)),
            (json!(1_700_000_000.9), Some(1_700_000_000)),
            (json!(-0.5), Some(-1)),
            (json!(1e300), None),
            (json!(i64::MAX), None),
            (json!(u64::MAX), None),
            (json!("1700000000"), None),
            (json!(null), None),
        ] {
            let expected = seconds.map(|seconds| OffsetDateTime::from_unix_timestamp(seconds).unwrap());
            assert_eq!(numeric_date(&claim), expected, "{claim}");
        }
    }
}
