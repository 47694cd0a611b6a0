//! A caller's token that the sidecar has checked.

use super::json::decode;
use azure_core::{Result, credentials::Secret};
use serde::Deserialize;
use serde_json::{Map, Value};

/// A caller's token whose signature, issuer, audience and times the sidecar has checked.
///
/// `Debug` shows neither the token nor its claims.
#[derive(Clone, Deserialize)]
#[non_exhaustive]
pub struct ValidatedToken {
    /// The scheme that the token came with, such as `Bearer`.
    pub protocol: String,
    /// The token.
    pub token: Secret,
    /// The token's claims, such as `oid` and `scp`.
    pub claims: Map<String, Value>,
}

impl ValidatedToken {
    /// The object id of the user, or of the application's principal, whose token it is (`oid`).
    #[must_use]
    pub fn object_id(&self) -> Option<&str> {
        self.claims.get("oid")?.as_str()
    }

    /// The permissions that the user has granted to the application (`scp`).
    pub fn scopes(&self) -> impl Iterator<Item = &str> {
        let scopes = self.claims.get("scp").and_then(Value::as_str).unwrap_or_default();
        scopes.split_ascii_whitespace()
    }

    /// Reads `ValidateAuthorizationHeaderResult`.
    pub(crate) fn from_body(body: &[u8]) -> Result<Self> {
        decode(body, "the sidecar's answer")
    }
}

impl std::fmt::Debug for ValidatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ValidatedToken")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn claims_are_kept_whole_and_not_shown() {
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
    fn an_answer_without_token_or_claims_is_refused_without_being_shown() {
        for body in [
            r#"{"protocol":"Bearer","claims":{}}"#,
            r#"{"protocol":"Bearer","token":"SECRET"}"#,
            r#"{"protocol":"Bearer","token":"SECRET","claims":null}"#,
            r#"{"protocol":"Bearer","token":"SECRET","claims":"SECRET"}"#,
            r#"{"protocol":"Bearer","token":["SECRET"],"claims":{}}"#,
        ] {
            let error = ValidatedToken::from_body(body.as_bytes()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        }
    }
}
