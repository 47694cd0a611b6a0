//! A header that the sidecar made.

use super::json::decode;
use azure_core::{Error, Result, credentials::Secret, error::ErrorKind};
use serde::Deserialize;

/// An authorization header for a downstream API. `Debug` does not show its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationHeader {
    scheme: String,
    token: Secret,
}

impl AuthorizationHeader {
    /// The scheme: `Bearer`, or `PoP` for a token that is bound to a key.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// The token without the scheme.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// The header's value: the scheme and the token.
    #[must_use]
    pub fn value(&self) -> Secret {
        format!("{} {}", self.scheme, self.token.secret()).into()
    }

    /// Reads `AuthorizationHeaderResult`.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self> {
        let body: Body = decode(body, "the sidecar's answer")?;
        let (scheme, token) = body.authorization_header.trim().split_once(' ').unwrap_or_default();
        let token = token.trim();
        let is_visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible(scheme) || !is_visible(token) {
            return Err(Error::with_message(
                ErrorKind::DataConversion,
                "the sidecar's answer has an `authorizationHeader` that is not a scheme and a token",
            ));
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            token: token.to_owned().into(),
        })
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    authorization_header: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scheme_and_token_are_told_apart() {
        for (header, scheme, token) in [("Bearer abc", "Bearer", "abc"), (" PoP  abc== ", "PoP", "abc==")] {
            let header = AuthorizationHeader::from_body(format!(r#"{{"authorizationHeader":"{header}"}}"#).as_bytes());
            let header = header.unwrap();
            assert_eq!((header.scheme(), header.token().secret()), (scheme, token));
            assert_eq!(header.value().secret(), format!("{scheme} {token}"));
        }
    }

    #[test]
    fn what_is_no_header_is_refused_without_being_shown() {
        for body in [
            "",
            "SECRET",
            r#""SECRET""#,
            r#"["SECRET"]"#,
            r#"{"authorizationHeader":null}"#,
            r#"{"authorizationHeader":["Bearer SECRET"]}"#,
            r#"{"authorizationHeader":"SECRET"}"#,
            r#"{"authorizationHeader":"Bearer "}"#,
            r#"{"authorizationHeader":"Bearer SECRET\r\nX: y"}"#,
            r#"{"authorizationHeader":"Bearer SECRET SECRET"}"#,
            r#"{"AuthorizationHeader":"Bearer SECRET"}"#,
        ] {
            let error = AuthorizationHeader::from_body(body.as_bytes()).unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::DataConversion);
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{body}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn any_header_is_read_whole_or_refused(header in ".*") {
            let body = serde_json::json!({ "authorizationHeader": header }).to_string();
            if let Ok(read) = AuthorizationHeader::from_body(body.as_bytes()) {
                let words: Vec<&str> = header.split(' ').filter(|word| !word.trim().is_empty()).map(str::trim).collect();
                prop_assert_eq!(words, [read.scheme(), read.token().secret()]);
            }
        }
    }
}
