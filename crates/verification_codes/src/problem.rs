//! Error responses of the API, as problem details.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use database::DatabaseError;
use serde_json::json;
use std::time::Duration;

/// A problem of RFC 9457. It reveals nothing of the services behind the API.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Problem {
    NotFound,
    MethodNotAllowed {
        allowed: &'static str,
    },
    InvalidRequest,
    /// A code that was never issued, is not valid yet, has expired, was used, or is another user's.
    NotValid,
    /// A token of an application that acts for no user.
    NotAUser,
    TooManyAttempts {
        wait: Duration,
    },
    NoNumber,
    Unavailable,
}

impl Problem {
    fn status(self) -> StatusCode {
        match self {
            Self::NotFound | Self::NotValid => StatusCode::NOT_FOUND,
            Self::NotAUser => StatusCode::FORBIDDEN,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::InvalidRequest => StatusCode::BAD_REQUEST,
            Self::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NoNumber => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::NotFound => "codes.not_found",
            Self::MethodNotAllowed { .. } => "codes.method_not_allowed",
            Self::InvalidRequest => "codes.invalid_request",
            Self::NotValid => "codes.not_valid",
            Self::NotAUser => "codes.not_a_user",
            Self::TooManyAttempts { .. } => "codes.too_many_attempts",
            Self::NoNumber => "codes.no_number",
            Self::Unavailable => "codes.unavailable",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing at this path.",
            Self::MethodNotAllowed { .. } => "The method is not one of this path; the header Allow says which is.",
            Self::InvalidRequest => r#"The body must be JSON: {"code": "..."}."#,
            Self::NotValid => "The code is not valid.",
            Self::NotAUser => "The token is that of an application. Codes are for users.",
            Self::TooManyAttempts { .. } => "There were too many attempts. Wait before the next one.",
            Self::NoNumber => "No code can be issued: a service that it needs has failed.",
            Self::Unavailable => "The service is not available at the moment. Try again later.",
        }
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        tracing::error!(%error, "the table of codes is not available");
        Self::Unavailable
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = json!({
            "type": "about:blank",
            "title": status.canonical_reason().unwrap_or_default(),
            "status": status.as_u16(),
            "detail": self.detail(),
            "code": self.code(),
        });
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, content_type, body.to_string()).into_response();
        match self {
            Self::MethodNotAllowed { allowed } => {
                let headers = response.headers_mut();
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::NotAUser => {
                // RFC 6750, section 3.1.
                let challenge = HeaderValue::from_static(r#"Bearer realm="api", error="insufficient_scope""#);
                response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            }
            Self::TooManyAttempts { wait } => {
                // Rounded up to whole seconds.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, seconds.max(1).into());
            }
            _ => {}
        }
        response
    }
}
