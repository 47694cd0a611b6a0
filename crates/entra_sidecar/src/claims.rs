//! What a token says of itself, read without a look at its signature.
//!
//! The sidecar is trusted to hand out real tokens. What is checked here is that they are those that were asked for, which
//! it does not see to: it ignores what its configuration does not let a request choose.

use azure_core::time::OffsetDateTime;
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value};

/// The URL-safe alphabet that tokens are written in (RFC 7515, section 2), with or without padding.
const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The longest token that is read, in bytes. Those of Entra ID have two or three thousand.
const MAX_LEN: usize = 64 * 1024;

/// The claims of a token of Entra ID that tell what it is for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct TokenClaims {
    /// The API that the token is for (`aud`), or the APIs.
    pub(crate) audiences: Vec<String>,
    /// When the token expires (`exp`).
    pub(crate) expires_on: Option<OffsetDateTime>,
    /// The application that acquired it (`appid`, in version 2 `azp`).
    pub(crate) application: Option<String>,
    /// The user, or else the application's principal (`oid`).
    pub(crate) object_id: Option<String>,
    /// The user's name (`upn`, in version 2 `preferred_username`).
    pub(crate) username: Option<String>,
}

/// Reads the claims of a token; `None` if it is not a JSON Web Token. A claim that is missing, or of another form than
/// documented, is left out.
pub(crate) fn read(token: &str) -> Option<TokenClaims> {
    if token.len() > MAX_LEN {
        return None;
    }
    let mut parts = token.split('.');
    let (_header, payload, _signature, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let claims: Map<String, Value> = serde_json::from_slice(&BASE64URL.decode(payload).ok()?).ok()?;
    let claim = |name| claims.get(name).and_then(text);
    let audiences = match claims.get("aud") {
        Some(Value::Array(audiences)) => audiences.iter().filter_map(text).collect(),
        _ => claim("aud").into_iter().collect(),
    };
    Some(TokenClaims {
        audiences,
        // RFC 7519 allows fractions of a second.
        expires_on: claims.get("exp").and_then(Value::as_f64).and_then(moment),
        application: claim("appid").or_else(|| claim("azp")),
        object_id: claim("oid"),
        username: claim("upn").or_else(|| claim("preferred_username")),
    })
}

fn text(claim: &Value) -> Option<String> {
    claim.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

fn moment(seconds: f64) -> Option<OffsetDateTime> {
    #[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and that is no moment")]
    let seconds = seconds as i64;
    OffsetDateTime::from_unix_timestamp(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::time::Duration;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::json;

    fn token(payload: &str) -> String {
        format!("e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload))
    }

    fn claims(payload: &Value) -> TokenClaims {
        read(&token(&payload.to_string())).unwrap()
    }

    #[test]
    fn tokens_of_both_versions_are_read() {
        // Claims and their forms: learn.microsoft.com, "Access token claims reference".
        let v1 = claims(&json!({
            "aud": "https://graph.microsoft.com", "exp": 1_700_000_000, "appid": "a", "oid": "o", "upn": "u@contoso.com",
            "ver": "1.0",
        }));
        let v2 = claims(&json!({
            "aud": ["https://graph.microsoft.com"], "exp": 1_700_000_000.9, "azp": "a", "oid": "o",
            "preferred_username": "u@contoso.com", "ver": "2.0",
        }));
        let expected = TokenClaims {
            audiences: vec!["https://graph.microsoft.com".to_owned()],
            expires_on: Some(OffsetDateTime::UNIX_EPOCH + Duration::seconds(1_700_000_000)),
            application: Some("a".to_owned()),
            object_id: Some("o".to_owned()),
            username: Some("u@contoso.com".to_owned()),
        };
        assert_eq!(v1, expected);
        assert_eq!(v2, expected);
    }

    #[test]
    fn a_claim_of_another_form_is_left_out() {
        for payload in [
            json!({}),
            json!({ "aud": null, "exp": "1700000000", "appid": 7, "azp": "", "oid": [], "upn": {} }),
            json!({ "aud": [1, null, ""], "exp": 1e300 }),
            json!({ "aud": { "a": "b" }, "exp": i64::MAX }),
        ] {
            assert_eq!(claims(&payload), TokenClaims::default(), "{payload}");
        }
    }

    #[test]
    fn what_is_no_token_has_no_claims() {
        for token in [
            "",
            "a",
            "a.b",
            "a.b.c",
            "a.e30=.b.c",
            "e30.e30+.c",
            "e30.W10.c",
            "..",
            &token("7"),
        ] {
            // {} and [] are e30 and W10.
            assert_eq!(read(token), None, "{token}");
        }
        assert!(read("e30.e30.c2ln").is_some());
        assert_eq!(read(&token(&" ".repeat(MAX_LEN))), None);
        assert_eq!(read(&token(&format!("{{{}}}", " ".repeat(MAX_LEN)))), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".*") {
            read(&text);
            read(&token(&text));
        }

        #[test]
        fn any_exp_is_a_moment_or_none(exp in any::<f64>(), seconds in -60_000_000_000_i64..200_000_000_000) {
            if let Some(number) = serde_json::Number::from_f64(exp) {
                read(&token(&format!(r#"{{"exp":{number}}}"#)));
            }
            let expected = OffsetDateTime::from_unix_timestamp(seconds).ok();
            prop_assert_eq!(claims(&json!({ "exp": seconds })).expires_on, expected);
        }
    }
}
