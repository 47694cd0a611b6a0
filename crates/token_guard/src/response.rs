//! What is answered to a request that is refused.

use crate::error::{Denial, GuardError};
use http::{
    HeaderName, HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;

/// Every challenge has to have a parameter, [says RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3).
const REALM: &str = r#"Bearer realm="api""#;

impl GuardError {
    /// The response: status, headers, and a body of `application/problem+json`.
    ///
    /// # Examples
    ///
    /// ```
    /// use token_guard::GuardError;
    ///
    /// let response: http::Response<String> = GuardError::HeaderMissing.to_response();
    /// assert_eq!(response.status(), 401);
    /// assert_eq!(response.headers()["www-authenticate"], r#"Bearer realm="api""#);
    /// assert!(response.body().contains("auth.authorization_header_missing"));
    /// ```
    #[must_use]
    pub fn to_response<B: From<String>>(&self) -> Response<B> {
        let mut response = Response::new(B::from(self.problem()));
        *response.status_mut() = self.status();
        response.headers_mut().extend(self.headers());
        response
    }

    /// The body of the response.
    pub(crate) fn problem(&self) -> String {
        let status = self.status();
        json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": self.to_string(),
            "code": self.code(),
        })
        .to_string()
    }

    /// The headers of the response.
    pub(crate) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        if let Self::KeysUnavailable(unavailable) = self {
            // Whole seconds, of which none is too early.
            let wait = unavailable.retry_after();
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.push((RETRY_AFTER, seconds.max(1).into()));
        } else {
            let challenge = HeaderValue::try_from(self.challenge());
            headers.push((WWW_AUTHENTICATE, challenge.unwrap_or(HeaderValue::from_static(REALM))));
        }
        headers
    }

    fn challenge(&self) -> String {
        match self {
            // Who has sent no token is told of no error, nor who has sent it in another way.
            Self::HeaderMissing | Self::TypeNotSupported | Self::KeysUnavailable(_) => REALM.to_owned(),
            Self::InvalidFormat => format!(r#"{REALM}, error="invalid_request", error_description="{self}""#),
            Self::InvalidToken(_) => format!(r#"{REALM}, error="invalid_token", error_description="{self}""#),
            Self::Forbidden(Denial::Scope(scopes)) if scopes.iter().all(|scope| is_scope(scope)) => {
                format!(r#"{REALM}, error="insufficient_scope", scope="{}""#, scopes.join(" "))
            }
            Self::Forbidden(_) => format!(r#"{REALM}, error="insufficient_scope""#),
        }
    }
}

/// Whether this is a `scope-token` of [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-3.3), which needs no
/// escapes within quotes.
fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && scope
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !br#""\"#.contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{KeysUnavailable, TokenFault};
    use proptest::prelude::*;
    use serde_json::Value;
    use std::time::Duration;

    fn scope(scopes: &[&str]) -> GuardError {
        Denial::Scope(scopes.iter().copied().map(str::to_owned).collect()).into()
    }

    fn unavailable(milliseconds: u64) -> GuardError {
        GuardError::KeysUnavailable(KeysUnavailable {
            retry_after: Duration::from_millis(milliseconds),
            source: None,
        })
    }

    fn header(error: &GuardError, name: HeaderName) -> Option<String> {
        let response: Response<String> = error.to_response();
        let value = response.headers().get(name)?;
        Some(value.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_problem_says_what_happened() {
        for (error, status, title, code, detail) in [
            (
                GuardError::HeaderMissing,
                401,
                "Unauthorized",
                "auth.authorization_header_missing",
                "The request has no Authorization header.",
            ),
            (
                GuardError::InvalidFormat,
                401,
                "Unauthorized",
                "auth.authorization_token_invalid_format",
                "The Authorization header has to be one: Bearer, a space, and a token.",
            ),
            (
                GuardError::TypeNotSupported,
                401,
                "Unauthorized",
                "auth.authorization_token_type_not_supported",
                "The scheme of the Authorization header has to be Bearer.",
            ),
            (
                TokenFault::Expired.into(),
                401,
                "Unauthorized",
                "invalid_token",
                "The token has expired.",
            ),
            (
                scope(&["read:a", "write:a"]),
                403,
                "Forbidden",
                "auth.forbidden",
                "The token has to have the scopes: read:a write:a.",
            ),
            (
                Denial::Organization.into(),
                403,
                "Forbidden",
                "auth.forbidden",
                "The token is not for this organization.",
            ),
            (
                unavailable(5_000),
                503,
                "Service Unavailable",
                "auth.keys_unavailable",
                "The token cannot be checked at the moment. Try again later.",
            ),
        ] {
            let response: Response<String> = error.to_response();
            assert_eq!(response.status().as_u16(), status);
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            assert_eq!(response.headers()["cache-control"], "no-store");
            let problem: Value = serde_json::from_str(response.body()).unwrap();
            let expected = json!({
                "type": "about:blank", "title": title, "status": status, "detail": detail, "code": code,
            });
            assert_eq!(problem, expected);
        }
    }

    #[test]
    fn a_challenge_says_whether_to_try_again_and_with_what() {
        for (error, expected) in [
            (GuardError::HeaderMissing, r#"Bearer realm="api""#),
            (GuardError::TypeNotSupported, r#"Bearer realm="api""#),
            (
                GuardError::InvalidFormat,
                concat!(
                    r#"Bearer realm="api", error="invalid_request", "#,
                    r#"error_description="The Authorization header has to be one: Bearer, a space, and a token.""#
                ),
            ),
            (
                TokenFault::Expired.into(),
                r#"Bearer realm="api", error="invalid_token", error_description="The token has expired.""#,
            ),
            (
                Denial::Organization.into(),
                r#"Bearer realm="api", error="insufficient_scope""#,
            ),
        ] {
            assert_eq!(header(&error, WWW_AUTHENTICATE).as_deref(), Some(expected));
        }
    }

    #[test]
    fn scopes_stand_in_the_challenge_unless_they_would_need_escapes() {
        let insufficient = r#"Bearer realm="api", error="insufficient_scope""#;
        for (scopes, expected) in [
            (
                &["read:a", "write:a"][..],
                format!(r#"{insufficient}, scope="read:a write:a""#),
            ),
            (&["a\"b"], insufficient.to_owned()),
            (&["a\\b"], insufficient.to_owned()),
            (&["a\nb"], insufficient.to_owned()),
            (&["read:a", ""], insufficient.to_owned()),
        ] {
            let challenge = header(&scope(scopes), WWW_AUTHENTICATE);
            assert_eq!(challenge.as_deref(), Some(expected.as_str()), "{scopes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_scope_leaves_its_quotes(scopes in prop::collection::vec("\\PC{0,12}|[ -~]{0,12}", 1..4)) {
            let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
            let challenge = header(&scope(&scopes), WWW_AUTHENTICATE).unwrap();
            let rest = challenge.strip_prefix(r#"Bearer realm="api", error="insufficient_scope""#).unwrap();
            if !rest.is_empty() {
                let listed = rest.strip_prefix(r#", scope=""#).unwrap().strip_suffix('"').unwrap();
                prop_assert!(!listed.contains(['"', '\\']));
                prop_assert_eq!(listed.split(' ').collect::<Vec<_>>(), scopes);
            }
        }
    }

    #[test]
    fn a_wait_is_told_in_whole_seconds_and_is_never_none() {
        for (milliseconds, expected) in [(0, "1"), (999, "1"), (1_000, "1"), (4_200, "5"), (30_000, "30")] {
            let error = unavailable(milliseconds);
            assert_eq!(header(&error, RETRY_AFTER).as_deref(), Some(expected));
            assert_eq!(header(&error, WWW_AUTHENTICATE), None);
        }
    }
}
