//! The claims of a JSON Web Token, read without a look at its signature.

use azure_core::{Error, Result, error::ErrorKind};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The URL-safe alphabet that tokens are written in (RFC 7515, section 2), with or without padding.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest token that is read, in bytes. The service's have one or two thousand.
const MAX_LEN: usize = 64 * 1024;

/// Reads the claims of a token. An error says nothing of what the token holds.
pub(crate) fn unverified_claims<T: DeserializeOwned>(token: &str) -> Result<T> {
    if token.len() > MAX_LEN {
        return Err(malformed("it is longer than 64 KiB"));
    }
    let mut parts = token.split('.');
    let (Some(_header), Some(payload), Some(_signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("it does not consist of three parts"));
    };
    let claims = BASE64URL
        .decode(payload)
        .map_err(|_| malformed("its second part is not base64url"))?;
    // An object, RFC 7519 says in section 7.2. On its own, serde also reads a struct from an array, by position.
    let claims: serde_json::Result<Map<String, Value>> = serde_json::from_slice(&claims);
    claims
        .and_then(|claims| T::deserialize(Value::Object(claims)))
        .map_err(|_| malformed("its claims are not those of an access token"))
}

fn malformed(reason: &str) -> Error {
    Error::with_message(
        ErrorKind::DataConversion,
        format!("the token cannot be read as a JSON Web Token: {reason}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    fn read(token: &str) -> Result<BTreeMap<String, String>> {
        unverified_claims(token)
    }

    #[test]
    fn claims_are_base64url_with_or_without_padding() {
        // Encoded with Python's base64. It holds both characters that standard base64 does not have.
        for payload in ["eyJhIjoiw78_w75-In0", "eyJhIjoiw78_w75-In0="] {
            assert_eq!(read(&format!("e30.{payload}.c2ln")).unwrap()["a"], "ÿ?þ~");
        }
    }

    #[test]
    fn what_is_not_a_token_is_refused_without_being_shown() {
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
        ] {
            let error = read(token).unwrap_err();
            assert!(error.to_string().contains(reason), "{token}: {error}");
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        }
        let long = format!("a.{}.c", "A".repeat(MAX_LEN));
        assert!(read(&long).unwrap_err().to_string().contains("64 KiB"));
    }

    #[test]
    fn a_claim_of_another_type_is_refused() {
        #[derive(Debug, Deserialize)]
        struct Claims {
            #[expect(dead_code, reason = "only decoded")]
            exp: i64,
        }
        // {"exp":"soon"}
        assert!(unverified_claims::<Claims>("e30.eyJleHAiOiJzb29uIn0.c2ln").is_err());
    }
}
