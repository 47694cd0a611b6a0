//! Request bodies.

use super::ServiceError;
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{FromRequest, Request},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE};
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use tracing::warn;

/// Bytes of the longest body that is read. The longest that makes sense carries an Entra token of a few kilobytes.
pub(crate) const MAX_BODY: usize = 64 * 1024;

/// Reads a whole body.
pub(crate) async fn read_body(body: Body) -> Result<Bytes, ServiceError> {
    to_bytes(body, MAX_BODY).await.map_err(|error| {
        let message = format!("The request body could not be read, or is longer than {MAX_BODY} bytes.");
        ServiceError::new(StatusCode::PAYLOAD_TOO_LARGE, "PayloadTooLarge", message).because(&error)
    })
}

/// A JSON body; `None` if there is no body, if it is `null`, or if it is not declared to be JSON.
pub(super) struct Json<T>(pub(super) Option<T>);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ServiceError;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (head, body) = request.into_parts();
        let body = read_body(body).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        if !is_json(&head.headers) {
            // The service does the same and says nothing, which has cost its users hours.
            warn!(
                path = head.uri.path(),
                "the body is ignored: its Content-Type is not application/json"
            );
            return Ok(Self(None));
        }
        match serde_json::from_slice(&body) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(refuse(&error)),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media_type = content_type.and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// Tells text that is no JSON from JSON that is no request. What serde says would repeat parts of the body.
fn refuse(error: &serde_json::Error) -> ServiceError {
    let error = match error.classify() {
        Category::Data => ServiceError::new(
            StatusCode::BAD_REQUEST,
            "ValidationError",
            format!(
                "The request body does not have the expected form at line {}, column {}.",
                error.line(),
                error.column()
            ),
        ),
        Category::Io | Category::Syntax | Category::Eof => ServiceError::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "InvalidJson",
            format!(
                "The request body is not JSON at line {}, column {}.",
                error.line(),
                error.column()
            ),
        ),
    };
    error.without_versions()
}
