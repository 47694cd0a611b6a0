//! The parts of a request that operations read: its body, segments of its path, and GUIDs in both.

use crate::http::ServiceError;
use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, MatchedPath, Request},
};
use http::{Extensions, StatusCode, Uri, request::Parts};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use percent_encoding::percent_decode_str;
use uuid::Uuid;

/// The most bytes of a body. The largest that makes sense contains an Entra ID token of a few kilobytes.
const MAX_LENGTH: usize = 64 * 1024;

/// A whole body.
pub(crate) struct RequestBody(pub(crate) Bytes);

impl RequestBody {
    pub(super) async fn read(body: Body) -> Result<Self, ServiceError> {
        Self::read_at_most(MAX_LENGTH, body).await
    }

    /// Reads a body of this many bytes at most.
    pub(crate) async fn read_at_most(max_length: usize, body: Body) -> Result<Self, ServiceError> {
        match Limited::new(body, max_length).collect().await {
            Ok(body) => Ok(Self(body.to_bytes())),
            Err(error) if error.is::<LengthLimitError>() => {
                let message = format!("The request body is longer than {max_length} bytes.");
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

/// The URI of a request as it was sent and signed, if the router has replaced it by the documented form. It is an extension of
/// the request.
#[derive(Clone)]
pub(super) struct ReplacedUri(pub(super) Uri);

/// The URI of a request as it was sent and signed.
pub(super) fn sent_uri<'a>(uri: &'a Uri, extensions: &'a Extensions) -> &'a Uri {
    extensions.get().map_or(uri, |ReplacedUri(sent)| sent)
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
