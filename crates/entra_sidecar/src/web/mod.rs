//! Helpers for handlers of an API: the caller's token as an argument, and a response for each error.
//!
//! With the feature `axum` or `actix`, an [`InboundToken`] is an argument of a handler, and a [`HandlerError`] can be its
//! error. For other frameworks there are the [`status`](HandlerError::status), the [`headers`](HandlerError::headers) and the
//! [`body`](HandlerError::body) of the response.

#[cfg(feature = "actix")]
mod actix_web;
#[cfg(feature = "axum")]
mod axum;

use crate::{
    error::{SidecarError, SidecarErrorKind, invalid_argument},
    models::{DownstreamError, InboundToken},
};
use azure_core::{Error, error::ErrorKind, http::StatusCode};
use serde_json::json;
use std::fmt;

/// The error of a handler, with its response.
///
/// Any error of this crate converts into it by `?`. The response is a problem ([RFC 9457]) with a `code`. It shows nothing of
/// the texts of the sidecar, Entra ID or a downstream API. These are logged with the response, as a `tracing` event at level
/// WARN, or at level DEBUG for a missing or rejected caller's token, which anyone can send.
///
/// | error | status | code |
/// | --- | --- | --- |
/// | the request has no bearer token | 401 | `caller_token_missing` |
/// | [`CallerTokenRejected`](SidecarErrorKind::CallerTokenRejected) | 401 | `caller_token_rejected` |
/// | [`InteractionRequired`](SidecarErrorKind::InteractionRequired) | 401 | `interaction_required` |
/// | [`MissingScope`](SidecarErrorKind::MissingScope) | 403 | `missing_scope` |
/// | a downstream API returned 403 | 403 | `downstream_forbidden` |
/// | [`Unavailable`](SidecarErrorKind::Unavailable) | 503 | `sidecar_unavailable` |
/// | a downstream API returned 408, 429, 503 or 504 | 503 | `downstream_unavailable` |
/// | a downstream API returned another failure, or content that cannot be read | 502 | `downstream_failed` |
/// | [`PolicyFailed`](SidecarErrorKind::PolicyFailed) | 500 | `internal_error` |
/// | any other [`SidecarErrorKind`] | 502 | `sidecar_failed` |
/// | any other error, such as a refused argument | 500 | `internal_error` |
///
/// [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457
///
/// # Examples
///
/// A handler of axum:
///
/// ```
/// # #[cfg(feature = "axum")] {
/// use axum::{Json, Router, extract::State, routing::get};
/// use entra_sidecar::{DownstreamRequest, InboundToken, SidecarClient, web::HandlerError};
/// use serde_json::Value;
///
/// async fn profile(
///     State(sidecar): State<SidecarClient>,
///     caller: InboundToken,
/// ) -> Result<Json<Option<Value>>, HandlerError> {
///     let me = sidecar
///         .call_downstream_api("Graph", &caller, DownstreamRequest::get("me"), None)
///         .await?
///         .error_for_status()?;
///     Ok(Json(me.json()?))
/// }
///
/// let router: Router<SidecarClient> = Router::new().route("/api/profile", get(profile));
/// # }
/// ```
#[derive(Debug)]
pub struct HandlerError {
    problem: Problem,
    source: Error,
}

impl HandlerError {
    /// Returns the caller's token of a request.
    ///
    /// # Arguments
    ///
    /// * `authorization` - The value of the request's `Authorization` header, if it has one.
    ///
    /// # Errors
    ///
    /// The header is missing, or has no bearer token.
    pub fn caller(authorization: Option<&str>) -> Result<InboundToken, Self> {
        let token = match authorization {
            Some(value) => InboundToken::from_header(value),
            None => Err(invalid_argument("the request has no Authorization header")),
        };
        token.map_err(|source| Self {
            problem: Problem::CallerTokenMissing,
            source,
        })
    }

    /// Returns the status of the response.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.problem.status()
    }

    /// Returns the code of the error, for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }

    /// Returns the headers of the response.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/problem+json".to_owned())];
        if let Some(challenge) = self.problem.challenge() {
            headers.push(("www-authenticate", challenge.to_owned()));
        }
        if let Some(seconds) = retry_after_seconds(&self.source) {
            headers.push(("retry-after", seconds.to_string()));
        }
        headers
    }

    /// Returns the body of the response, as JSON.
    #[must_use]
    pub fn body(&self) -> String {
        let problem = json!({
            "type": "about:blank",
            "title": self.problem.title(),
            "status": self.status(),
            "code": self.code(),
        });
        problem.to_string()
    }

    /// Logs the error, which the response does not show.
    #[cfg(any(feature = "actix", feature = "axum"))]
    fn log(&self) {
        const MESSAGE: &str = "a request to this API failed";
        let (status, code, error) = (self.status(), self.code(), &self.source);
        if matches!(self.problem, Problem::CallerTokenMissing | Problem::CallerTokenRejected) {
            tracing::debug!(status, code, %error, "{MESSAGE}");
        } else {
            tracing::warn!(status, code, %error, "{MESSAGE}");
        }
    }
}

impl From<Error> for HandlerError {
    fn from(source: Error) -> Self {
        Self {
            problem: Problem::from_error(&source),
            source,
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.problem.title())
    }
}

impl std::error::Error for HandlerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Returns the wait that the sidecar asks for, in whole seconds.
fn retry_after_seconds(error: &Error) -> Option<i64> {
    let wait = SidecarError::from_error(error)?.retry_after()?;
    Some(wait.whole_seconds() + i64::from(wait.subsec_nanoseconds() > 0))
}

/// The problem in a response.
#[derive(Clone, Copy, Debug)]
enum Problem {
    CallerTokenMissing,
    CallerTokenRejected,
    InteractionRequired,
    MissingScope,
    DownstreamForbidden,
    DownstreamUnavailable,
    DownstreamFailed,
    SidecarUnavailable,
    SidecarFailed,
    InternalError,
}

impl Problem {
    fn from_error(error: &Error) -> Self {
        if let Some(error) = DownstreamError::from_error(error) {
            return match error.response().status() {
                StatusCode::Forbidden => Self::DownstreamForbidden,
                StatusCode::RequestTimeout
                | StatusCode::TooManyRequests
                | StatusCode::ServiceUnavailable
                | StatusCode::GatewayTimeout => Self::DownstreamUnavailable,
                _ => Self::DownstreamFailed,
            };
        }
        match SidecarError::from_error(error).map(SidecarError::kind) {
            Some(SidecarErrorKind::CallerTokenRejected) => Self::CallerTokenRejected,
            Some(SidecarErrorKind::InteractionRequired) => Self::InteractionRequired,
            Some(SidecarErrorKind::MissingScope) => Self::MissingScope,
            Some(SidecarErrorKind::Unavailable) => Self::SidecarUnavailable,
            Some(SidecarErrorKind::PolicyFailed) => Self::InternalError,
            Some(_) => Self::SidecarFailed,
            // Content of a downstream API that is not the expected JSON.
            None if *error.kind() == ErrorKind::DataConversion => Self::DownstreamFailed,
            None => Self::InternalError,
        }
    }

    fn status(self) -> u16 {
        match self {
            Self::CallerTokenMissing | Self::CallerTokenRejected | Self::InteractionRequired => 401,
            Self::MissingScope | Self::DownstreamForbidden => 403,
            Self::InternalError => 500,
            Self::DownstreamFailed | Self::SidecarFailed => 502,
            Self::DownstreamUnavailable | Self::SidecarUnavailable => 503,
        }
    }

    fn code(self) -> &'static str {
        match self {
            Self::CallerTokenMissing => "caller_token_missing",
            Self::CallerTokenRejected => "caller_token_rejected",
            Self::InteractionRequired => "interaction_required",
            Self::MissingScope => "missing_scope",
            Self::DownstreamForbidden => "downstream_forbidden",
            Self::DownstreamUnavailable => "downstream_unavailable",
            Self::DownstreamFailed => "downstream_failed",
            Self::SidecarUnavailable => "sidecar_unavailable",
            Self::SidecarFailed => "sidecar_failed",
            Self::InternalError => "internal_error",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::CallerTokenMissing => "The request has no bearer token",
            Self::CallerTokenRejected => "The bearer token is not valid",
            Self::InteractionRequired => "You have to sign in again, prove who you are, or consent",
            Self::MissingScope => "The bearer token does not have the scope that is needed",
            Self::DownstreamForbidden => "You may not do that",
            Self::DownstreamUnavailable | Self::SidecarUnavailable => "This is not available at the moment",
            Self::DownstreamFailed | Self::SidecarFailed => "A service that this one needs does not work",
            Self::InternalError => "Something went wrong",
        }
    }

    /// Returns the `WWW-Authenticate` header (RFC 6750, section 3).
    fn challenge(self) -> Option<&'static str> {
        match self {
            // RFC 6750 has no error for a valid token whose user must act: the code of the problem says it.
            Self::CallerTokenMissing | Self::InteractionRequired => Some("Bearer"),
            Self::CallerTokenRejected => Some(r#"Bearer error="invalid_token""#),
            Self::MissingScope => Some(r#"Bearer error="insufficient_scope""#),
            _ => None,
        }
    }
}
