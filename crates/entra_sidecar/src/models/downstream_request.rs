//! A request for the sidecar to send.

use crate::error::invalid_argument;
use azure_core::{Bytes, Result, fmt::SafeDebug, http::Method, json::to_json};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A request that the sidecar sends to a downstream API, with a token that it acquires.
///
/// `Debug` does not show what it holds.
///
/// # Examples
///
/// ```
/// use entra_sidecar::DownstreamRequest;
/// use serde_json::json;
///
/// # fn main() -> azure_core::Result<()> {
/// let list = DownstreamRequest::get("me/messages").query("$top", "10");
/// let send = DownstreamRequest::post("me/sendMail").json(&json!({ "message": { "subject": "Hello" } }))?;
/// # Ok(()) }
/// ```
#[derive(Clone, SafeDebug)]
pub struct DownstreamRequest {
    method: Option<Method>,
    relative_path: Option<String>,
    accept: Option<String>,
    headers: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    content: Option<(String, Bytes)>,
}

impl DownstreamRequest {
    /// A request with any verb.
    ///
    /// # Arguments
    ///
    /// * `method` - The verb.
    /// * `relative_path` - What follows the base URL that the sidecar is configured with, and may end with a query. It
    ///   goes on the wire as it is: percent-encode what comes from outside. Empty keeps the configured one.
    #[must_use]
    pub fn new(method: Method, relative_path: impl Into<String>) -> Self {
        Self {
            method: Some(method),
            relative_path: Some(relative_path.into()).filter(|path| !path.is_empty()),
            ..Self::as_configured()
        }
    }

    /// A GET request; see [`new`](Self::new).
    #[must_use]
    pub fn get(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Get, relative_path)
    }

    /// A POST request; see [`new`](Self::new).
    #[must_use]
    pub fn post(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Post, relative_path)
    }

    /// A PUT request; see [`new`](Self::new).
    #[must_use]
    pub fn put(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Put, relative_path)
    }

    /// A PATCH request; see [`new`](Self::new).
    #[must_use]
    pub fn patch(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Patch, relative_path)
    }

    /// A DELETE request; see [`new`](Self::new).
    #[must_use]
    pub fn delete(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Delete, relative_path)
    }

    /// The request that the sidecar is configured with: its verb and its path. It may have a body, but nothing else can be
    /// added, because any override would reset the verb.
    ///
    /// This is the one that a sidecar can be relied on to send
    /// [as the application](crate::SidecarClient::call_downstream_api_as_app), where it ignores overrides by default.
    #[must_use]
    pub fn as_configured() -> Self {
        Self {
            method: None,
            relative_path: None,
            accept: None,
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            content: None,
        }
    }

    /// Sets the media type to ask for. Default: `application/json`.
    #[must_use]
    pub fn accept(mut self, media_type: impl Into<String>) -> Self {
        self.accept = Some(media_type.into());
        self
    }

    /// Adds a header, or replaces it, whatever the case of its name.
    ///
    /// The sidecar has headers of its own, which cannot be set: an operation refuses the request if it would ignore one.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into().to_ascii_lowercase(), value.into());
        self
    }

    /// Adds a parameter to the query, or replaces it. The sidecar encodes it, and takes names that differ in nothing but
    /// case for one: an operation refuses a request with such names, which can go into the relative path.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.insert(name.into(), value.into());
        self
    }

    /// Sets the body, as JSON.
    ///
    /// # Errors
    ///
    /// The value cannot be represented in JSON.
    pub fn json<T: Serialize>(self, value: &T) -> Result<Self> {
        // The serializer's own error can quote the value.
        let content = to_json(value).map_err(|_| {
            invalid_argument(
                "the body cannot be represented in JSON; its type has keys that are no text, or fails by itself",
            )
        })?;
        Ok(self.content("application/json", content))
    }

    /// Sets the body, as text of any media type: the sidecar reads it as UTF-8, so other bytes would not arrive.
    ///
    /// # Arguments
    ///
    /// * `media_type` - The media type, such as `text/plain`. An operation refuses a request with any other text, because
    ///   the sidecar would send no body with it.
    /// * `text` - The body.
    #[must_use]
    pub fn text(self, media_type: impl Into<String>, text: impl Into<String>) -> Self {
        self.content(media_type, Bytes::from(text.into()))
    }

    fn content(mut self, media_type: impl Into<String>, content: Bytes) -> Self {
        self.content = Some((media_type.into(), content));
        self
    }

    /// Whether it does no more when it is sent a second time (RFC 9110, section 9.2.2). Of the configured verb, it is not
    /// known.
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Some(Method::Get | Method::Head | Method::Put | Method::Delete)
        )
    }

    /// The media type and the body.
    pub(crate) fn into_content(self) -> Option<(String, Bytes)> {
        self.content
    }

    /// The parameters of the query, and with them the verb, as any override would reset it. `overridden` tells of
    /// overrides beside these.
    pub(crate) fn parameters(&self, overridden: bool) -> Result<Vec<(String, String)>> {
        let content_type = self.content.as_ref().map(|(media_type, _)| media_type.as_str());
        if !content_type.is_none_or(is_media_type) {
            return Err(invalid_argument(
                "the media type of the body is not of the form type/subtype, such as text/plain; the sidecar would send no \
                 body with it",
            ));
        }
        let Some(method) = self.method else {
            let extended = self.accept.is_some() || !self.headers.is_empty() || !self.query.is_empty();
            if overridden || extended {
                return Err(invalid_argument(
                    "DownstreamRequest::as_configured takes no overrides, because with any of them the sidecar would \
                     send a GET instead of the verb that is configured; name the verb with DownstreamRequest::new",
                ));
            }
            return Ok(Vec::new());
        };
        let mut parameters = vec![("optionsOverride.HttpMethod".to_owned(), method.as_str().to_owned())];
        for (name, value) in [
            ("RelativePath", self.relative_path.as_deref()),
            ("AcceptHeader", self.accept.as_deref()),
            ("ContentType", content_type),
        ] {
            if let Some(value) = value {
                check_line(value, name)?;
                parameters.push((format!("optionsOverride.{name}"), value.to_owned()));
            }
        }
        for (name, value) in &self.headers {
            check_header(name)?;
            check_line(value, "header")?;
            parameters.push((format!("optionsOverride.ExtraHeaderParameters.{name}"), value.clone()));
        }
        let mut names = BTreeSet::new();
        if !self.query.keys().all(|name| names.insert(name.to_lowercase())) {
            return Err(invalid_argument(
                "two parameters of the query differ in the case of their names only, and the sidecar would send one; put \
                 them into the relative path",
            ));
        }
        for (name, value) in &self.query {
            if name.is_empty() || value.is_empty() {
                return Err(invalid_argument(
                    "a parameter of the query has an empty name or value, which the sidecar would leave out; put it into \
                     the relative path",
                ));
            }
            parameters.push((format!("optionsOverride.ExtraQueryParameters.{name}"), value.clone()));
        }
        Ok(parameters)
    }
}

/// Headers that the sidecar ignores, as it sets them itself or reserves them (`ReservedHeaderNames` of its source, and
/// .NET's headers of the content, which it would take for none of the request).
const NOT_PASSED_ON: [&str; 12] = [
    "accept",
    "allow",
    "authorization",
    "cookie",
    "expires",
    "host",
    "last-modified",
    "x-ms-client-principal",
    "x-ms-client-principal-id",
    "x-ms-client-principal-idp",
    "x-ms-client-principal-name",
    "x-original-url",
];

/// Beginnings of such headers.
const PREFIXES_NOT_PASSED_ON: [&str; 3] = ["content-", "x-forwarded-", "x-ms-token-"];

/// Whether a text is a media type, with or without parameters (RFC 9110, section 8.3.1).
fn is_media_type(text: &str) -> bool {
    let (essence, parameters) = text
        .split_once(';')
        .map_or((text, None), |(essence, rest)| (essence, Some(rest)));
    let is_essence = essence
        .trim_end_matches(' ')
        .split_once('/')
        .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype));
    is_essence && parameters.is_none_or(are_parameters)
}

/// Whether a text is one parameter of a media type or more: `name=value` or `name="value"`.
fn are_parameters(text: &str) -> bool {
    let Some((name, value)) = text.trim_start_matches(' ').split_once('=') else {
        return false;
    };
    let rest = if let Some(quoted) = value.strip_prefix('"') {
        after_quoted(quoted)
    } else {
        let end = value.find([';', ' ']).unwrap_or(value.len());
        let unquoted = value.split_at_checked(end).filter(|(value, _)| is_token(value));
        unquoted.map(|(_, rest)| rest)
    };
    is_token(name)
        && rest.is_some_and(|rest| match rest.trim_start_matches(' ') {
            "" => true,
            rest => rest.strip_prefix(';').is_some_and(are_parameters),
        })
}

/// What follows a text in quotes, of which the first has been read.
fn after_quoted(text: &str) -> Option<&str> {
    let mut is_escaped = false;
    for (index, character) in text.char_indices() {
        match character {
            _ if !(' '..='~').contains(&character) => return None,
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return text.get(index + 1..),
            _ => {}
        }
    }
    None
}

/// Whether a text is a `token` (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Refuses what is no name of a header, in lower case, or one that the sidecar would leave out.
fn check_header(name: &str) -> Result<()> {
    if !is_token(name) {
        return Err(invalid_argument("a header has a name that no header can have"));
    }
    let is_ignored =
        NOT_PASSED_ON.contains(&name) || PREFIXES_NOT_PASSED_ON.iter().any(|prefix| name.starts_with(prefix));
    if is_ignored {
        return Err(invalid_argument(format!(
            "the sidecar would ignore the header {name}; leave it out (`accept`, `json` and `text` set those of media \
             types)"
        )));
    }
    Ok(())
}

/// Refuses what the sidecar would leave out, or what would begin another header.
fn check_line(value: &str, what: &str) -> Result<()> {
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(invalid_argument(format!(
            "the {what} of the request is empty or has control characters"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn media_types_are_told_from_other_texts() {
        for (text, expected) in [
            ("text/plain", true),
            ("application/vnd.api+json", true),
            ("text/plain; charset=utf-8", true),
            ("text/plain;charset=\"utf-8\" ; a=b", true),
            ("multipart/mixed; boundary=\"a; \\\" b\"", true),
            ("", false),
            ("json", false),
            ("/", false),
            ("text/", false),
            ("/plain", false),
            ("text/plain/x", false),
            ("text /plain", false),
            (" text/plain", false),
            ("text/plain\r\nx: y", false),
            ("text/pläin", false),
            ("text/plain;", false),
            ("text/plain; charset", false),
            ("text/plain; charset=", false),
            ("text/plain; charset=utf-8 x", false),
            ("text/plain; a=\"b", false),
            ("text/plain; a=\"\n\"", false),
            ("text/plain; a=\"b\"c", false),
        ] {
            assert_eq!(is_media_type(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_media_type_is_one_line_and_any_text_is_read_without_panic(text in "(text/plain ?; ?a=)?.*") {
            if is_media_type(&text) {
                prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }
    }
}
