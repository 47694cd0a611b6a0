//! Claims challenges: claims that Entra ID must add to the next token, because a policy of Conditional Access asks for them or
//! because the last token was revoked.
//!
//! Source: learn.microsoft.com, "Claims challenges, claims requests and client capabilities".

use azure_core::base64;
use client_core::json::object;
use http_auth::{ChallengeRef, parse_challenges};
use serde_json::{Map, Value};
use std::fmt;

/// The longest claims that are read, in bytes. Servers and proxies accept about 8 KiB of headers.
const MAX_LEN: usize = 4 * 1024;

/// The error of a claims challenge.
const INSUFFICIENT_CLAIMS: &str = "insufficient_claims";

/// The claims of a challenge, as a JSON object. `Debug` omits them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ClaimsChallenge(String);

impl ClaimsChallenge {
    /// Reads the value of a `WWW-Authenticate` header; `None` if it has no claims challenge.
    pub(crate) fn from_header(value: &str) -> Option<Self> {
        let challenges = parse_challenges(value).ok()?;
        let mut challenges = challenges.iter().filter(|challenge| {
            let is_for_token = ["Bearer", "PoP"]
                .iter()
                .any(|scheme| challenge.scheme.eq_ignore_ascii_case(scheme));
            is_for_token && parameter(challenge, "error").as_deref() == Some(INSUFFICIENT_CLAIMS)
        });
        challenges.find_map(|challenge| Self::from_base64(&parameter(challenge, "claims")?))
    }

    /// Returns the claims, as JSON.
    pub(crate) fn as_json(&self) -> &str {
        &self.0
    }

    /// Returns the value of a `WWW-Authenticate` header (RFC 6750, section 3).
    pub(crate) fn to_header(&self) -> String {
        let claims = base64::encode(&self.0);
        format!(r#"Bearer error="{INSUFFICIENT_CLAIMS}", claims="{claims}""#)
    }

    /// Reads base64 of either alphabet.
    fn from_base64(text: &str) -> Option<Self> {
        if text.len() > 2 * MAX_LEN {
            return None;
        }
        let text = text.replace('-', "+").replace('_', "/");
        let json = String::from_utf8(base64::decode(text).ok()?).ok()?;
        let is_object = json.len() <= MAX_LEN && object::<Map<String, Value>>(json.as_bytes()).is_some();
        is_object.then_some(Self(json))
    }
}

impl fmt::Debug for ClaimsChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClaimsChallenge")
    }
}

fn parameter(challenge: &ChallengeRef<'_>, name: &str) -> Option<String> {
    let mut parameters = challenge.params.iter();
    let (_, value) = parameters.find(|(found, _)| found.eq_ignore_ascii_case(name))?;
    Some(value.to_unescaped())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of the source, and its claims.
    const EXAMPLE: &str = "Bearer realm=\"\", authorization_uri=\"https://login.microsoftonline.com/common/oauth2/authorize\", \
                           error=\"insufficient_claims\", \
                           claims=\"eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiY3AxIn19fQ==\"";
    const CLAIMS: &str = r#"{"access_token":{"acrs":{"essential":true,"value":"cp1"}}}"#;

    fn read(header: &str) -> Option<String> {
        ClaimsChallenge::from_header(header).map(|challenge| challenge.as_json().to_owned())
    }

    #[test]
    fn challenge_of_the_documentation_is_read() {
        assert_eq!(read(EXAMPLE).as_deref(), Some(CLAIMS));
        for header in [
            &EXAMPLE.replace("==", ""),
            &EXAMPLE.replace("Bearer", "bearer"),
            &EXAMPLE.replace("Bearer", "PoP nonce=\"x\", Bearer"),
            &EXAMPLE.replace("claims=", "Claims="),
            &format!("Bearer error=\"invalid_token\", {EXAMPLE}"),
        ] {
            assert_eq!(read(header).as_deref(), Some(CLAIMS), "{header}");
        }
        // {"a":"~~~???"} in either alphabet.
        for claims in ["eyJhIjoifn5+Pz8/In0=", "eyJhIjoifn5-Pz8_In0"] {
            let header = format!("Bearer error=insufficient_claims, claims=\"{claims}\"");
            assert_eq!(read(&header).as_deref(), Some(r#"{"a":"~~~???"}"#));
        }
    }

    #[test]
    fn other_challenges_have_no_claims() {
        let long = base64::encode(format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_LEN)));
        for header in [
            "",
            "Bearer",
            "Bearer error=\"insufficient_claims\"",
            &EXAMPLE.replace("insufficient_claims", "invalid_token"),
            &EXAMPLE.replace("Bearer", "Basic"),
            // `7`, `[1]`, `{"a`, and bytes that are not UTF-8.
            "Bearer error=\"insufficient_claims\", claims=\"Nw==\"",
            "Bearer error=\"insufficient_claims\", claims=\"WzFd\"",
            "Bearer error=\"insufficient_claims\", claims=\"eyJh\"",
            "Bearer error=\"insufficient_claims\", claims=\"gICA\"",
            "Bearer error=\"insufficient_claims\", claims=\"{}\"",
            &format!("Bearer error=\"insufficient_claims\", claims=\"{long}\""),
        ] {
            assert_eq!(read(header), None, "{header}");
        }
    }

    #[test]
    fn header_is_a_challenge_of_rfc_6750() {
        let challenge = ClaimsChallenge::from_header(EXAMPLE).unwrap();
        assert_eq!(
            challenge.to_header(),
            "Bearer error=\"insufficient_claims\", \
             claims=\"eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiY3AxIn19fQ==\""
        );
        assert_eq!(format!("{challenge:?}"), "ClaimsChallenge");
    }

    proptest! {
        #[test]
        fn headers_are_one_challenge(value in ".{0,80}") {
            let claims = serde_json::json!({ "a": value }).to_string();
            let encoded = base64::encode_url_safe(&claims);
            let header = format!("Bearer error=\"insufficient_claims\", claims=\"{encoded}\"");
            let challenge = ClaimsChallenge::from_header(&header).unwrap();
            prop_assert_eq!(challenge.as_json(), &claims);
            let header = challenge.to_header();
            prop_assert!(header.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", header);
            prop_assert_eq!(read(&header), Some(claims));
        }

        #[test]
        fn no_header_causes_a_panic(value in ".*") {
            read(&value);
            read(&format!("Bearer error=\"insufficient_claims\", claims=\"{value}\""));
        }
    }
}
