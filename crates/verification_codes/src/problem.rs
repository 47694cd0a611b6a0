//! What is answered where there is no code, or it is not valid.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::time::Duration;

/// A problem in the sense of RFC 9457. It tells a caller nothing of the services behind the API.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Problem {
    NoSuchRoute,
    OtherMethod {
        allowed: &'static str,
    },
    NotACode,
    /// One answer for codes that were never issued, are not valid yet or any more, were used, and are somebody else's.
    NotValid,
    TooManyAttempts {
        wait: Duration,
    },
    NoNumber,
    Unavailable,
}

impl Problem {
    fn status(self) -> StatusCode {
        match self {
            Self::NoSuchRoute | Self::NotValid => StatusCode::NOT_FOUND,
            Self::OtherMethod { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotACode => StatusCode::BAD_REQUEST,
            Self::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::NoNumber => StatusCode::BAD_GATEWAY,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::NoSuchRoute => "codes.not_found",
            Self::OtherMethod { .. } => "codes.method_not_allowed",
            Self::NotACode => "codes.invalid_request",
            Self::NotValid => "codes.not_valid",
            Self::TooManyAttempts { .. } => "codes.too_many_attempts",
            Self::NoNumber => "codes.no_number",
            Self::Unavailable => "codes.unavailable",
        }
    }

    fn detail(self) -> &'static str {
        match self {
            Self::NoSuchRoute => "There is nothing at this path.",
            Self::OtherMethod { .. } => "The method is not one of this path; the header Allow says which is.",
            Self::NotACode => r#"The body has to be JSON: {"code": "..."}."#,
            Self::NotValid => "The code is not valid.",
            Self::TooManyAttempts { .. } => "There were too many attempts. Wait before the next one.",
            Self::NoNumber => "No code can be issued: a service that it needs has failed.",
            Self::Unavailable => "The service is not available at the moment. Try again later.",
        }
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
            Self::OtherMethod { allowed } => {
                let headers = response.headers_mut();
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::TooManyAttempts { wait } => {
                // Whole seconds, of which none is too early.
                let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
                let headers = response.headers_mut();
                headers.insert(header::RETRY_AFTER, seconds.max(1).into());
            }
            _ => {}
        }
        response
    }
}
