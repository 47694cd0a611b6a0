//! The parts of a request that operations read: its body, segments of its path, and GUIDs in both.

use crate::{
    http::{ServiceError, header_text},
    json_object::JsonObject,
};
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, MatchedPath, Request},
};
use http::{HeaderMap, StatusCode, header::CONTENT_TYPE, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::error::Category;
use tracing::warn;
use uuid::Uuid;

/// The most bytes of a body. The largest that makes sense contains an Entra ID token of a few kilobytes.
const MAX_LENGTH: usize = 64 * 1024;

/// A whole body.
pub(crate) struct RequestBody(pub(crate) Bytes);

impl RequestBody {
    pub(super) async fn read(body: Body) -> Result<Self, ServiceError> {
        match Limited::new(body, MAX_LENGTH).collect().await {
            Ok(body) => Ok(Self(body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                let message = format!("The request body is longer than {MAX_LENGTH} bytes.");
                Err(ServiceError::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "PayloadTooLarge",
                    message,
                ))
            }
            Err(error) => {
                let message = "The request body is incomplete or malformed.";
                Err(ServiceError::new(StatusCode::BAD_REQUEST, "InvalidRequest", message).because(&error))
            }
        }
    }
}

impl<S: Sync> FromRequest<S> for RequestBody {
    type Rejection = ServiceError;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        Self::read(request.into_body()).await
    }
}

/// A JSON object as body; `None` if it is empty, `null`, or not declared to be JSON.
pub(super) struct Json<T>(pub(super) Option<T>);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ServiceError;

    async fn from_request(request: Request, _: &S) -> Result<Self, Self::Rejection> {
        let (head, body) = request.into_parts();
        let RequestBody(body) = RequestBody::read(body).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        if !is_json(&head.headers) {
            // The service ignores it too, but silently, which has misled users (MicrosoftDocs/azure-docs#96255).
            warn!(
                route = head.extensions.get().map(MatchedPath::as_str),
                "the body is ignored: its Content-Type is not application/json"
            );
            return Ok(Self(None));
        }
        match serde_json::from_slice::<Option<JsonObject<T>>>(&body) {
            Ok(object) => Ok(Self(object.map(|JsonObject(value)| value))),
            // The form is refused at its first fault, after which the text may not be JSON at all.
            Err(error) => Err(invalid_body(
                &serde_json::from_slice::<IgnoredAny>(&body).err().unwrap_or(error),
            )),
        }
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let media_type = header_text(headers, CONTENT_TYPE).and_then(|value| value.split(';').next());
    media_type.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case("application/json"))
}

/// Distinguishes text that is not JSON from JSON of another form. serde's error could contain parts of the body.
fn invalid_body(error: &serde_json::Error) -> ServiceError {
    let position = format!("line {}, column {}", error.line(), error.column());
    let refusal = match error.classify() {
        Category::Data => {
            let message = format!("The request body does not have the expected form at {position}.");
            ServiceError::new(StatusCode::BAD_REQUEST, "ValidationError", message)
        }
        Category::Io | Category::Syntax | Category::Eof => {
            let message = format!("The request body is not JSON at {position}.");
            ServiceError::new(StatusCode::UNPROCESSABLE_ENTITY, "InvalidJson", message)
        }
    };
    refusal.without_versions()
}

/// The segment that the route calls `{name}`, percent-decoded; empty if that is not UTF-8.
///
/// axum decodes all parameters or none, so its error could not name the one at fault.
pub(super) fn path_parameter(parts: &Parts, name: &str) -> String {
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let is_named = |template: &str| template.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name);
    let mut segments = route.split('/').zip(parts.uri.path().split('/'));
    let segment = segments.find_map(|(template, segment)| is_named(template).then_some(segment));
    let decoded = percent_decode_str(segment.unwrap_or_default()).decode_utf8();
    decoded.map(Into::into).unwrap_or_default()
}

/// The length of a GUID in its usual form, `350adb03-7be9-4846-b078-35adb0d0e119`. The other forms that [`Uuid`] reads,
/// without hyphens, in braces and as a URN, have other lengths.
const GUID_LENGTH: usize = 36;

/// Parses a GUID. The error names the field as the model does, and its target as the JSON or the path does.
pub(super) fn parse_guid(text: &str, field: &'static str, target: &'static str) -> Result<Uuid, ServiceError> {
    let guid = Uuid::try_parse(text).ok().filter(|_| text.len() == GUID_LENGTH);
    guid.ok_or_else(|| ServiceError::validation(target, format!("Provided {field} has invalid format.")))
}

/// Parses a GUID that must be present. The error names a missing one as the model does.
pub(super) fn required_guid(
    text: Option<String>,
    field: &'static str,
    target: &'static str,
) -> Result<Uuid, ServiceError> {
    let text = text.filter(|text| !text.is_empty());
    parse_guid(&text.ok_or_else(|| ServiceError::required(field))?, field, target)
}
