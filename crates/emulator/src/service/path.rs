//! Parameters in paths.

use axum::extract::MatchedPath;
use http::request::Parts;
use percent_encoding::percent_decode_str;

/// The segment that the route calls `{name}`, percent-decoded; empty if that is not UTF-8.
///
/// axum decodes all parameters or none, so it could not tell which of several is at fault.
pub(super) fn parameter(parts: &Parts, name: &str) -> String {
    let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
    let is_named = |template: &str| template.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) == Some(name);
    let mut segments = route.split('/').zip(parts.uri.path().split('/'));
    let segment = segments.find_map(|(template, segment)| is_named(template).then_some(segment));
    let decoded = percent_decode_str(segment.unwrap_or_default()).decode_utf8();
    decoded.map(Into::into).unwrap_or_default()
}
