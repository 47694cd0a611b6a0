//! The sidecar's responses to all operations but the calls of downstream APIs.

use crate::error::unexpected_response;
use azure_core::{
    Result,
    credentials::Secret,
    http::{RawResponse, StatusCode},
};
use client_core::json;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use std::fmt;

/// Reads the JSON object in a response.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    json::object(body).ok_or_else(|| unexpected_response("is not the JSON object that the sidecar documents"))
}

/// An authorization header for a downstream API. `Debug` omits its token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationHeader {
    scheme: String,
    token: Secret,
}

impl AuthorizationHeader {
    /// Returns the scheme: `Bearer`, or `PoP` for a token that is bound to a key.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// Returns the token without the scheme.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    /// Returns the value of the header: the scheme and the token.
    #[must_use]
    pub fn value(&self) -> Secret {
        format!("{} {}", self.scheme, self.token.secret()).into()
    }

    /// Reads `AuthorizationHeaderResult`.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            authorization_header: String,
        }

        let body: Body = decode(body)?;
        let (scheme, token) = body.authorization_header.trim().split_once(' ').unwrap_or_default();
        let token = token.trim();
        let is_visible = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_visible(scheme) || !is_visible(token) {
            return Err(unexpected_response(
                "has an `authorizationHeader` that is not a scheme and a token",
            ));
        }
        Ok(Self {
            scheme: scheme.to_owned(),
            token: token.to_owned().into(),
        })
    }
}

/// A caller's token, whose signature, issuer, audience and times the sidecar has validated.
///
/// `Debug` omits the token and its claims.
#[derive(Clone, Deserialize)]
#[non_exhaustive]
pub struct ValidatedToken {
    /// The scheme that the caller sent, such as `Bearer`.
    pub protocol: String,
    /// The token.
    pub token: Secret,
    /// The claims of the token, such as `oid` and `scp`.
    pub claims: Map<String, Value>,
}

impl ValidatedToken {
    /// Returns the object ID of the token's user, or of the application's principal (`oid`).
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.claims.get("oid")?.as_str()
    }

    /// Returns the permissions that the user has granted to the application (`scp`).
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scopes = self.claims.get("scp").and_then(Value::as_str).unwrap_or_default();
        scopes.split_ascii_whitespace()
    }

    /// Reads `ValidateAuthorizationHeaderResult`.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self> {
        decode(body)
    }
}

impl fmt::Debug for ValidatedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValidatedToken")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// The health of a sidecar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SidecarHealth {
    /// The sidecar responds.
    Healthy,
    /// The sidecar responds, but reports a problem with one of its dependencies.
    Degraded,
    /// The sidecar reports that it does not work.
    Unhealthy,
}

impl SidecarHealth {
    /// Reads the response of `/healthz`, as ASP.NET Core's health checks write it; `None` for any other response.
    pub(crate) fn from_response(response: &RawResponse) -> Option<Self> {
        match (response.status(), response.body().trim_ascii()) {
            (StatusCode::Ok, b"Healthy") => Some(Self::Healthy),
            (StatusCode::Ok, b"Degraded") => Some(Self::Degraded),
            (StatusCode::ServiceUnavailable, b"Unhealthy") => Some(Self::Unhealthy),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::error::ErrorKind;
    use proptest::prelude::*;

    #[test]
    fn headers_are_split_into_scheme_and_token() {
        for (header, scheme, token) in [("Bearer abc", "Bearer", "abc"), (" PoP  abc== ", "PoP", "abc==")] {
            let header = AuthorizationHeader::from_body(format!(r#"{{"authorizationHeader":"{header}"}}"#).as_bytes());
            let header = header.unwrap();
            assert_eq!((header.scheme(), header.token().secret()), (scheme, token));
            assert_eq!(header.value().secret(), format!("{scheme} {token}"));
        }
    }

    #[test]
    fn other_headers_are_refused_and_not_shown() {
        for body in [
            "",
            "SECRET",
            r#""SECRET""#,
            r#"["SECRET"]"#,
            r#"["Bearer SECRET"]"#,
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

    #[test]
    fn claims_are_kept_and_not_shown() {
        let body =
            br#"{"protocol":"Bearer","token":"SECRET","claims":{"oid":"PERSON","scp":"a b","roles":["r"],"x":1}}"#;
        let validated = ValidatedToken::from_body(body).unwrap();
        assert_eq!(validated.object_id(), Some("PERSON"));
        assert_eq!(validated.scopes().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(validated.claims.len(), 4);
        assert_eq!(validated.token.secret(), "SECRET");
        let shown = format!("{validated:?}");
        assert!(!shown.contains("SECRET") && !shown.contains("PERSON"), "{shown}");
    }

    #[test]
    fn incomplete_validations_are_refused_and_not_shown() {
        for body in [
            r#"{"protocol":"Bearer","claims":{}}"#,
            r#"{"protocol":"Bearer","token":"SECRET"}"#,
            r#"{"protocol":"Bearer","token":"SECRET","claims":null}"#,
            r#"{"protocol":"Bearer","token":"SECRET","claims":"SECRET"}"#,
            r#"{"protocol":"Bearer","token":["SECRET"],"claims":{}}"#,
            r#"["Bearer","SECRET",{}]"#,
        ] {
            let error = ValidatedToken::from_body(body.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn headers_are_read_whole_or_refused(header in ".*") {
            let body = serde_json::json!({ "authorizationHeader": header }).to_string();
            if let Ok(read) = AuthorizationHeader::from_body(body.as_bytes()) {
                let words: Vec<&str> = header.split(' ').filter(|word| !word.trim().is_empty()).map(str::trim).collect();
                prop_assert_eq!(words, [read.scheme(), read.token().secret()]);
            }
        }
    }
}
