//! Handlers of an API that uses the sidecar: the caller's token as an argument, and an answer for each error.
//!
//! With the feature `axum` or `actix`, an [`InboundToken`] is an argument of a handler, and a
//! [`HandlerError`] can be its error. Other frameworks can take the [`status`](HandlerError::status), the
//! [`headers`](HandlerError::headers) and the [`body`](HandlerError::body) of the answer.

#[cfg(feature = "actix")]
mod actix_web;
#[cfg(feature = "axum")]
mod axum;
mod reply;

use crate::{InboundToken, error::invalid_argument};
use azure_core::Error;
use reply::Reply;
use serde_json::json;
use std::fmt;

/// An error of a handler, and what to answer for it.
///
/// It is made of any error of this crate by `?`. The answer is a problem ([RFC 9457]) with a `code`, and shows nothing of
/// what the sidecar, Entra ID or a downstream API said; that is logged when the answer is made, as a `tracing` event at level
/// WARN, or DEBUG for a caller's token that is missing or rejected, which anybody can send.
///
/// | error | answer | code |
/// | --- | --- | --- |
/// | the request has no bearer token | 401 | `caller_token_missing` |
/// | [`CallerTokenRejected`](crate::SidecarErrorKind::CallerTokenRejected) | 401 | `caller_token_rejected` |
/// | [`InteractionRequired`](crate::SidecarErrorKind::InteractionRequired) | 401 | `interaction_required` |
/// | [`MissingScope`](crate::SidecarErrorKind::MissingScope) | 403 | `missing_scope` |
/// | a downstream API answered 403 | 403 | `downstream_forbidden` |
/// | [`Unavailable`](crate::SidecarErrorKind::Unavailable) | 503 | `sidecar_unavailable` |
/// | a downstream API answered 408, 429, 503 or 504 | 503 | `downstream_unavailable` |
/// | a downstream API answered anything else | 502 | `downstream_failed` |
/// | any other [`SidecarErrorKind`](crate::SidecarErrorKind) | 502 | `sidecar_failed` |
/// | any other error, such as an argument that this crate refused | 500 | `internal_error` |
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
    reply: Reply,
    source: Error,
}

impl HandlerError {
    /// The status of the answer.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.reply.status()
    }

    /// What tells a program which error it is.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.reply.code()
    }

    /// The headers of the answer.
    #[must_use]
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/problem+json".to_owned())];
        if let Some(challenge) = self.reply.challenge() {
            headers.push(("www-authenticate", challenge.to_owned()));
        }
        if let Some(seconds) = reply::retry_after_seconds(&self.source) {
            headers.push(("retry-after", seconds.to_string()));
        }
        headers
    }

    /// The body of the answer, as JSON.
    #[must_use]
    pub fn body(&self) -> String {
        let problem = json!({
            "type": "about:blank",
            "title": self.reply.title(),
            "status": self.status(),
            "code": self.code(),
        });
        problem.to_string()
    }

    /// Logs what the answer does not say.
    #[cfg(any(feature = "actix", feature = "axum"))]
    fn log(&self) {
        macro_rules! event {
            ($level:ident) => {
                tracing::$level!(
                    status = self.status(),
                    code = self.code(),
                    error = %self.source,
                    "a request to this API failed"
                )
            };
        }
        match self.reply {
            Reply::CallerTokenMissing | Reply::CallerTokenRejected => event!(debug),
            _ => event!(warn),
        }
    }

    /// The token of a request.
    ///
    /// # Arguments
    ///
    /// * `authorization` - The value of its `Authorization` header, if there is one.
    ///
    /// # Errors
    ///
    /// There is none, or it is no bearer token.
    pub fn caller(authorization: Option<&str>) -> Result<InboundToken, Self> {
        let token = match authorization {
            Some(value) => InboundToken::from_header(value),
            None => Err(invalid_argument("the request has no Authorization header")),
        };
        token.map_err(|source| Self {
            reply: Reply::CallerTokenMissing,
            source,
        })
    }
}

impl From<Error> for HandlerError {
    fn from(source: Error) -> Self {
        Self {
            reply: Reply::to(&source),
            source,
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reply.title())
    }
}

impl std::error::Error for HandlerError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
