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
    claims::ClaimsChallenge,
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
/// WARN, or at level DEBUG for a failure that callers cause at will: a missing or rejected token, and a status that is passed on.
///
/// | error | status | code |
/// | --- | --- | --- |
/// | the request has no bearer token | 401 | `caller_token_missing` |
/// | [`CallerTokenRejected`](SidecarErrorKind::CallerTokenRejected) | 401 | `caller_token_rejected` |
/// | [`InteractionRequired`](SidecarErrorKind::InteractionRequired) | 401 | `interaction_required` |
/// | a downstream API returned 401 with a claims challenge to the caller | 401 | `interaction_required` |
/// | [`MissingScope`](SidecarErrorKind::MissingScope) | 403 | `missing_scope` |
/// | a downstream API returned 403 | 403 | `downstream_forbidden` |
/// | [`Unavailable`](SidecarErrorKind::Unavailable) | 503 | `sidecar_unavailable` |
/// | a downstream API returned 408, 429, 503 or 504 | 503 | `downstream_unavailable` |
/// | a downstream API returned 400, which the handler [passes on](Self::pass_on) | 400 | `downstream_bad_request` |
/// | a downstream API returned 404, which the handler passes on | 404 | `downstream_not_found` |
/// | a downstream API returned 409, which the handler passes on | 409 | `downstream_conflict` |
/// | a downstream API returned another failure, or content that cannot be read | 502 | `downstream_failed` |
/// | [`PolicyFailed`](SidecarErrorKind::PolicyFailed) | 500 | `internal_error` |
/// | any other [`SidecarErrorKind`] | 502 | `sidecar_failed` |
/// | any other error, such as a refused argument | 500 | `internal_error` |
///
/// # Claims challenges
///
/// A policy of Conditional Access can ask for claims that the caller's token does not have. The response hands them on as a
/// challenge ([RFC 6750], section 3), `Bearer error="insufficient_claims", claims="..."`, which libraries for clients, such as
/// MSAL, understand. Claims that were asked of the application or of an agent's user are not handed on, as the caller cannot
/// have them.
///
/// [RFC 6750]: https://www.rfc-editor.org/rfc/rfc6750
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
    claims_challenge: Option<ClaimsChallenge>,
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
            claims_challenge: None,
            source,
        })
    }

    /// Creates the error of a claims challenge; `None` if the header has none. Its response is a 401 with the same claims.
    ///
    /// Use it where the handler calls an API by itself, with the token of an
    /// [authorization header](crate::SidecarClient::authorization_header) that was acquired in the name of the caller. Claims that
    /// are asked of the application do not concern the caller.
    ///
    /// # Arguments
    ///
    /// * `www_authenticate` - The value of the `WWW-Authenticate` header in the API's response, which is a 401.
    ///
    /// # Examples
    ///
    /// ```
    /// use entra_sidecar::web::HandlerError;
    ///
    /// let claims = "eyJhY2Nlc3NfdG9rZW4iOnsiYWNycyI6eyJlc3NlbnRpYWwiOnRydWUsInZhbHVlIjoiY3AxIn19fQ==";
    /// let header = format!(r#"Bearer realm="", error="insufficient_claims", claims="{claims}""#);
    /// let error = HandlerError::from_claims_challenge(&header).expect("the header has claims");
    /// assert_eq!((error.status(), error.code()), (401, "interaction_required"));
    /// ```
    #[must_use]
    pub fn from_claims_challenge(www_authenticate: &str) -> Option<Self> {
        Some(Self {
            problem: Problem::InteractionRequired,
            claims_challenge: Some(ClaimsChallenge::from_header(www_authenticate)?),
            source: Error::with_message(
                ErrorKind::Credential,
                "a downstream API asks for a token with more claims; the user must sign in again with them",
            ),
        })
    }

    /// Passes on the status of a downstream API: the response has it, too, if it is one of `statuses`. Without this it has 502,
    /// because the handler, not its caller, chose the request to the API.
    ///
    /// Pass a status on if the caller can act on it, as on a 404 for an ID that the caller sent. A status of the sidecar is never
    /// passed on, such as its 400 for an API that is not configured.
    ///
    /// # Arguments
    ///
    /// * `statuses` - Those of 400, 404 and 409 that are passed on. No other status is.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (sidecar, client, caller) = start().await?;
    /// use entra_sidecar::{DownstreamRequest, web::HandlerError};
    ///
    /// let request = DownstreamRequest::get_path(["users", "unknown@contoso.com"]);
    /// let error = client
    ///     .call_downstream_api("Graph", &caller, request, None)
    ///     .await?
    ///     .error_for_status()
    ///     .map_err(|error| HandlerError::from(error).pass_on([404]))
    ///     .unwrap_err();
    /// assert_eq!(error.status(), 404);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pass_on(self, statuses: impl IntoIterator<Item = u16>) -> Self {
        let Some(error) = DownstreamError::from_error(&self.source) else {
            return self;
        };
        let status = error.response().status();
        let is_named = statuses.into_iter().any(|named| named == u16::from(status));
        let problem = match status {
            StatusCode::BadRequest if is_named => Problem::DownstreamBadRequest,
            StatusCode::NotFound if is_named => Problem::DownstreamNotFound,
            StatusCode::Conflict if is_named => Problem::DownstreamConflict,
            _ => self.problem,
        };
        Self { problem, ..self }
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
        let challenge = match &self.claims_challenge {
            Some(claims) => Some(claims.to_header()),
            None => self.problem.challenge().map(str::to_owned),
        };
        if let Some(challenge) = challenge {
            headers.push(("www-authenticate", challenge));
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
        if self.problem.is_caused_at_will() {
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
            claims_challenge: claims_challenge(&source),
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

/// Returns the claims that are asked of the caller.
fn claims_challenge(error: &Error) -> Option<ClaimsChallenge> {
    if let Some(error) = DownstreamError::from_error(error) {
        return error.response().claims_challenge_to_caller();
    }
    SidecarError::from_error(error)?.claims_challenge.clone()
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
    DownstreamBadRequest,
    DownstreamForbidden,
    DownstreamNotFound,
    DownstreamConflict,
    DownstreamUnavailable,
    DownstreamFailed,
    SidecarUnavailable,
    SidecarFailed,
    InternalError,
}

impl Problem {
    fn from_error(error: &Error) -> Self {
        if let Some(error) = DownstreamError::from_error(error) {
            let response = error.response();
            return match response.status() {
                StatusCode::Unauthorized if response.claims_challenge_to_caller().is_some() => {
                    Self::InteractionRequired
                }
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

    /// Returns whether callers cause the problem at will, so that it is no warning.
    #[cfg(any(feature = "actix", feature = "axum"))]
    fn is_caused_at_will(self) -> bool {
        matches!(
            self,
            Self::CallerTokenMissing
                | Self::CallerTokenRejected
                | Self::DownstreamBadRequest
                | Self::DownstreamNotFound
                | Self::DownstreamConflict
        )
    }

    fn status(self) -> u16 {
        match self {
            Self::DownstreamBadRequest => 400,
            Self::CallerTokenMissing | Self::CallerTokenRejected | Self::InteractionRequired => 401,
            Self::MissingScope | Self::DownstreamForbidden => 403,
            Self::DownstreamNotFound => 404,
            Self::DownstreamConflict => 409,
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
            Self::DownstreamBadRequest => "downstream_bad_request",
            Self::DownstreamForbidden => "downstream_forbidden",
            Self::DownstreamNotFound => "downstream_not_found",
            Self::DownstreamConflict => "downstream_conflict",
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
            Self::InteractionRequired => "You must sign in again, verify your identity, or consent",
            Self::MissingScope => "The bearer token does not have the scope that is needed",
            Self::DownstreamBadRequest => "The request is not valid",
            Self::DownstreamForbidden => "You may not do that",
            Self::DownstreamNotFound => "This was not found",
            Self::DownstreamConflict => "This conflicts with something that exists",
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
