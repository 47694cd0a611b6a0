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
            headers.push((RETRY_AFTER, unavailable.retry_after().as_secs().max(1).into()));
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
    use serde_json::Value;
    use std::time::Duration;

    fn scope(scopes: &[&str]) -> GuardError {
        Denial::Scope(scopes.iter().copied().map(str::to_owned).collect()).into()
    }

    #[test]
    fn a_response_has_a_status_a_code_and_a_challenge() {
        let keys = |seconds| {
            GuardError::KeysUnavailable(KeysUnavailable {
                retry_after: Duration::from_millis(seconds),
                source: None,
            })
        };
        let realm = r#"Bearer realm="api""#;
        let insufficient = format!(r#"{realm}, error="insufficient_scope""#);
        for (error, status, title, code, challenge, retry_after) in [
            (
                GuardError::HeaderMissing,
                401,
                "Unauthorized",
                "auth.authorization_header_missing",
                Some(realm.to_owned()),
                None,
            ),
            (
                GuardError::InvalidFormat,
                401,
                "Unauthorized",
                "auth.authorization_token_invalid_format",
                Some(format!(
                    r#"{realm}, error="invalid_request", error_description="The Authorization header has to be one: Bearer, a space, and a token.""#
                )),
                None,
            ),
            (
                GuardError::TypeNotSupported,
                401,
                "Unauthorized",
                "auth.authorization_token_type_not_supported",
                Some(realm.to_owned()),
                None,
            ),
            (
                TokenFault::Expired.into(),
                401,
                "Unauthorized",
                "invalid_token",
                Some(format!(
                    r#"{realm}, error="invalid_token", error_description="The token has expired.""#
                )),
                None,
            ),
            (
                scope(&["read:a", "write:a"]),
                403,
                "Forbidden",
                "auth.forbidden",
                Some(format!(r#"{insufficient}, scope="read:a write:a""#)),
                None,
            ),
            (
                scope(&["a\"b"]),
                403,
                "Forbidden",
                "auth.forbidden",
                Some(insufficient.clone()),
                None,
            ),
            (
                scope(&["a\nb"]),
                403,
                "Forbidden",
                "auth.forbidden",
                Some(insufficient.clone()),
                None,
            ),
            (
                Denial::Organization.into(),
                403,
                "Forbidden",
                "auth.forbidden",
                Some(insufficient),
                None,
            ),
            (
                keys(4_200),
                503,
                "Service Unavailable",
                "auth.keys_unavailable",
                None,
                Some("4"),
            ),
            (
                keys(0),
                503,
                "Service Unavailable",
                "auth.keys_unavailable",
                None,
                Some("1"),
            ),
        ] {
            let response: Response<String> = error.to_response();
            let header = |name| {
                response
                    .headers()
                    .get(name)
                    .map(|value| value.to_str().unwrap().to_owned())
            };
            let problem: Value = serde_json::from_str(response.body()).unwrap();
            assert_eq!(response.status(), status);
            assert_eq!(header(CONTENT_TYPE).as_deref(), Some("application/problem+json"));
            assert_eq!(header(CACHE_CONTROL).as_deref(), Some("no-store"));
            assert_eq!(header(WWW_AUTHENTICATE), challenge, "{error:?}");
            assert_eq!(header(RETRY_AFTER).as_deref(), retry_after, "{error:?}");
            assert_eq!(problem["status"], status);
            assert_eq!(problem["title"], title);
            assert_eq!(problem["code"], code);
            assert!(problem["detail"].as_str().unwrap().ends_with('.'), "{problem}");
        }
    }
}
