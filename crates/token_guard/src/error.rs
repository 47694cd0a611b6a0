//! The errors of the guard, and the HTTP responses that they become.

use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use serde_json::json;
use std::{error::Error, fmt, sync::Arc, time::Duration};

/// The challenge. [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3) requires at least one parameter.
const REALM: &str = r#"Bearer realm="api""#;

/// The reason for refusing a request, and the response to it.
///
/// The response is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the member `code`.
/// A 401 or 403 has a `WWW-Authenticate` challenge ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3)). No part of
/// a token appears in the response, in `Display` or in `Debug`.
///
/// | error | status | code |
/// | --- | --- | --- |
/// | [`HeaderMissing`](Self::HeaderMissing) | 401 | `auth.authorization_header_missing` |
/// | [`InvalidFormat`](Self::InvalidFormat) | 401 | `auth.authorization_token_invalid_format` |
/// | [`TypeNotSupported`](Self::TypeNotSupported) | 401 | `auth.authorization_token_type_not_supported` |
/// | [`InvalidToken`](Self::InvalidToken) | 401 | `invalid_token` |
/// | [`Forbidden`](Self::Forbidden) | 403 | `auth.forbidden` |
/// | [`KeysUnavailable`](Self::KeysUnavailable) | 503 | `auth.keys_unavailable` |
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GuardError {
    /// The request has no `Authorization` header, or an empty one.
    HeaderMissing,
    /// The request has several `Authorization` headers, or one that is not a scheme and a token.
    InvalidFormat,
    /// The scheme of the `Authorization` header is not `Bearer`.
    TypeNotSupported,
    /// The token is not valid for this API.
    InvalidToken(TokenFault),
    /// The token is valid, but does not allow the request.
    Forbidden(Denial),
    /// The issuer's keys are unavailable, so the token cannot be checked.
    KeysUnavailable(KeysUnavailable),
}

/// The reason why a token is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenFault {
    /// The token is not a signed JWT. Logto issues JWTs only for a `resource`, and opaque tokens otherwise.
    NotAJwt,
    /// The header or the claims of the token are not those of a JWT.
    Malformed,
    /// The header has `crit`, which demands an extension that is not supported.
    CriticalHeader,
    /// The `typ` is not that of an access token.
    Type,
    /// The `alg` is not the algorithm of the key that the token names.
    Algorithm,
    /// The token names a key that the issuer does not have.
    UnknownKey,
    /// The signature is not that of the key.
    Signature,
    /// The token is from another issuer.
    Issuer,
    /// The token is for another audience.
    Audience,
    /// The token has no subject.
    Subject,
    /// The token has expired, or has no expiry.
    Expired,
    /// The token is not valid yet.
    NotYetValid,
    /// The claims of the token are those of an id token, or of another token that is no access token.
    NotAnAccessToken,
    /// The token has `cnf`: its sender must prove that it has a key. A bearer token has no such proof.
    SenderConstrained,
}

impl TokenFault {
    /// Returns the description for the client.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::NotAJwt => "The token is not a signed JWT; ask the issuer for one for this API.",
            Self::Malformed => "The token is malformed.",
            Self::CriticalHeader => "The token demands an extension that is not supported.",
            Self::Type => "The token is not of the type of an access token.",
            Self::Algorithm => "The algorithm of the token is not that of its key.",
            Self::UnknownKey => "The token is signed with a key that its issuer does not have.",
            Self::Signature => "The signature of the token is not valid.",
            Self::Issuer => "The token is of another issuer.",
            Self::Audience => "The token is for another audience.",
            Self::Subject => "The token has no subject.",
            Self::Expired => "The token has expired.",
            Self::NotYetValid => "The token is not valid yet.",
            Self::NotAnAccessToken => "The token is not an access token.",
            Self::SenderConstrained => "The token is bound to a key of its sender, which is not supported.",
        }
    }
}

/// The reason why a valid token does not allow a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// The token lacks at least one of these scopes. All of them are required.
    Scope(Vec<String>),
    /// The token lacks at least one of these roles. All of them are required.
    Role(Vec<String>),
    /// The token is for another organization, lacks a required one, or has one where none is allowed.
    Organization,
    /// The token is a user's. An application that acts for no user is required.
    Application,
    /// The token is from Entra ID, and has neither a scope nor a role.
    NoPermission,
    /// The token was issued to a client that is not among the
    /// [`allowed_clients`](crate::TokenGuardBuilder::allowed_clients).
    Client,
    /// The token is for another audience, and
    /// [`forbid_other_audiences`](crate::TokenGuardBuilder::forbid_other_audiences) makes this a 403.
    Audience,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scopes) => write!(f, "The token must have the scopes: {}.", scopes.join(" ")),
            Self::Role(roles) => write!(f, "The token must have the roles: {}.", roles.join(" ")),
            Self::Organization => f.write_str("The token is not for this organization."),
            Self::Application => f.write_str("The token must be that of an application which acts for no user."),
            Self::NoPermission => f.write_str("The token has neither a scope nor a role."),
            Self::Client => f.write_str("The client of the token is not allowed to call this API."),
            Self::Audience => f.write_str(TokenFault::Audience.description()),
        }
    }
}

/// The issuer's keys are unavailable. The [source](Error::source) says why, for a log.
#[derive(Clone, Debug)]
pub struct KeysUnavailable {
    pub(crate) retry_after: Duration,
    pub(crate) source: Option<Arc<dyn Error + Send + Sync>>,
}

impl KeysUnavailable {
    /// Returns the time until the guard asks the issuer again.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl GuardError {
    /// Returns the status of the response: 401, 403 or 503.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::HeaderMissing | Self::InvalidFormat | Self::TypeNotSupported | Self::InvalidToken(_) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::KeysUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Returns the code for programs, as Logto's own services name it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::HeaderMissing => "auth.authorization_header_missing",
            Self::InvalidFormat => "auth.authorization_token_invalid_format",
            Self::TypeNotSupported => "auth.authorization_token_type_not_supported",
            Self::InvalidToken(_) => "invalid_token",
            Self::Forbidden(_) => "auth.forbidden",
            Self::KeysUnavailable(_) => "auth.keys_unavailable",
        }
    }

    /// Returns the response: the status, the headers, and a body of `application/problem+json`.
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

    /// Returns the body of the response.
    pub(crate) fn problem(&self) -> String {
        problem(self.status(), self.code(), &self.to_string())
    }

    /// Returns the headers of the response.
    pub(crate) fn headers(&self) -> Vec<(HeaderName, HeaderValue)> {
        let mut headers = vec![
            (CONTENT_TYPE, HeaderValue::from_static("application/problem+json")),
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ];
        if let Self::KeysUnavailable(unavailable) = self {
            // Rounded up to whole seconds, so that no retry is too early.
            let delay = unavailable.retry_after();
            let seconds = delay.as_secs() + u64::from(delay.subsec_nanos() > 0);
            headers.push((RETRY_AFTER, seconds.max(1).into()));
        } else {
            let challenge = HeaderValue::try_from(self.challenge());
            headers.push((WWW_AUTHENTICATE, challenge.unwrap_or(HeaderValue::from_static(REALM))));
        }
        headers
    }

    fn challenge(&self) -> String {
        match self {
            // RFC 6750, section 3.1: no error code for a request without authentication, or with another scheme.
            Self::HeaderMissing | Self::TypeNotSupported | Self::KeysUnavailable(_) => REALM.to_owned(),
            // Of the two codes that fit a malformed header, RFC 6750 has this one for 401.
            Self::InvalidFormat | Self::InvalidToken(_) => {
                format!(r#"{REALM}, error="invalid_token", error_description="{self}""#)
            }
            Self::Forbidden(Denial::Scope(scopes)) if scopes.iter().all(|scope| is_scope_token(scope)) => {
                format!(r#"{REALM}, error="insufficient_scope", scope="{}""#, scopes.join(" "))
            }
            Self::Forbidden(_) => format!(r#"{REALM}, error="insufficient_scope""#),
        }
    }
}

/// Returns the body of a problem.
pub(crate) fn problem(status: StatusCode, code: &str, detail: &str) -> String {
    json!({
        "type": "about:blank",
        "title": status.canonical_reason().unwrap_or_default(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
    })
    .to_string()
}

/// Returns whether a scope is a `scope-token` of [RFC 6749](https://www.rfc-editor.org/rfc/rfc6749#section-3.3), which
/// needs no escapes within quotes.
fn is_scope_token(scope: &str) -> bool {
    !scope.is_empty()
        && scope
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !br#""\"#.contains(&byte))
}

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderMissing => f.write_str("The request has no Authorization header."),
            Self::InvalidFormat => {
                f.write_str("The request must have one Authorization header: Bearer, a space, and a token.")
            }
            Self::TypeNotSupported => f.write_str("The scheme of the Authorization header must be Bearer."),
            Self::InvalidToken(fault) => f.write_str(fault.description()),
            Self::Forbidden(denial) => denial.fmt(f),
            Self::KeysUnavailable(_) => f.write_str("The token cannot be checked at the moment. Try again later."),
        }
    }
}

impl Error for GuardError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::KeysUnavailable(unavailable) => unavailable
                .source
                .as_deref()
                .map(|source| source as &(dyn Error + 'static)),
            _ => None,
        }
    }
}

impl From<TokenFault> for GuardError {
    fn from(fault: TokenFault) -> Self {
        Self::InvalidToken(fault)
    }
}

impl From<Denial> for GuardError {
    fn from(denial: Denial) -> Self {
        Self::Forbidden(denial)
    }
}

/// A setting of a guard that cannot be used, and the reason. Does not show the value of the setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationError {
    setting: &'static str,
    reason: String,
}

impl ConfigurationError {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            setting: "the configuration",
            reason: reason.into(),
        }
    }

    /// Names the setting.
    pub(crate) fn of(self, setting: &'static str) -> Self {
        Self { setting, ..self }
    }
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting, self.reason)
    }
}

impl Error for ConfigurationError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

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
    fn problem_details_by_error() {
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
                "The request must have one Authorization header: Bearer, a space, and a token.",
            ),
            (
                GuardError::TypeNotSupported,
                401,
                "Unauthorized",
                "auth.authorization_token_type_not_supported",
                "The scheme of the Authorization header must be Bearer.",
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
                "The token must have the scopes: read:a write:a.",
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
    fn challenge_by_error() {
        for (error, expected) in [
            (GuardError::HeaderMissing, r#"Bearer realm="api""#),
            (GuardError::TypeNotSupported, r#"Bearer realm="api""#),
            (
                GuardError::InvalidFormat,
                concat!(
                    r#"Bearer realm="api", error="invalid_token", "#,
                    r#"error_description="The request must have one Authorization header: Bearer, a space, and a token.""#
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
    fn challenge_omits_scopes_that_need_escapes() {
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
        fn scopes_never_escape_their_quotes(scopes in prop::collection::vec("\\PC{0,12}|[ -~]{0,12}", 1..4)) {
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
    fn retry_after_rounds_up_to_whole_seconds() {
        for (milliseconds, expected) in [(0, "1"), (999, "1"), (1_000, "1"), (4_200, "5"), (30_000, "30")] {
            let error = unavailable(milliseconds);
            assert_eq!(header(&error, RETRY_AFTER).as_deref(), Some(expected));
            assert_eq!(header(&error, WWW_AUTHENTICATE), None);
        }
    }
}
