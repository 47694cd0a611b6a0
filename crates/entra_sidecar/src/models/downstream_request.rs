//! The request to a downstream API.

use crate::error::invalid_argument;
use azure_core::{Bytes, Result, fmt::SafeDebug, http::Method, json::to_json};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The characters of a segment that are encoded: all but the unreserved ones of RFC 3986, section 2.3.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A request that the sidecar sends to a downstream API, with a token that it acquires. `Debug` omits all values.
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
    has_refused_segment: bool,
    accept: Option<String>,
    headers: BTreeMap<String, String>,
    query: BTreeMap<String, String>,
    content: Option<(String, Bytes)>,
}

impl DownstreamRequest {
    /// Creates a request with any verb.
    ///
    /// # Arguments
    ///
    /// * `method` - The verb.
    /// * `relative_path` - The path below the configured base URL of the API, with an optional query. It is sent unchanged: a
    ///   value from outside can lead to another path. Use [`with_path`](Self::with_path) for one. An empty path keeps the
    ///   configured one.
    #[must_use]
    pub fn new(method: Method, relative_path: impl Into<String>) -> Self {
        Self {
            method: Some(method),
            relative_path: Some(relative_path.into()).filter(|path| !path.is_empty()),
            ..Self::as_configured()
        }
    }

    /// Creates a GET request; see [`new`](Self::new).
    #[must_use]
    pub fn get(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Get, relative_path)
    }

    /// Creates a POST request; see [`new`](Self::new).
    #[must_use]
    pub fn post(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Post, relative_path)
    }

    /// Creates a PUT request; see [`new`](Self::new).
    #[must_use]
    pub fn put(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Put, relative_path)
    }

    /// Creates a PATCH request; see [`new`](Self::new).
    #[must_use]
    pub fn patch(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Patch, relative_path)
    }

    /// Creates a DELETE request; see [`new`](Self::new).
    #[must_use]
    pub fn delete(relative_path: impl Into<String>) -> Self {
        Self::new(Method::Delete, relative_path)
    }

    /// Creates a request of a path whose segments are percent-encoded. Use it for values from outside: each stays one segment, and
    /// cannot add a query.
    ///
    /// All characters but letters, digits, `-`, `.`, `_` and `~` are encoded. Use [`new`](Self::new) for a path whose other
    /// characters have a meaning, such as `me/drive/root:/notes.txt`.
    ///
    /// # Arguments
    ///
    /// * `method` - The verb.
    /// * `segments` - The segments of the path below the configured base URL of the API. Operations refuse a request without
    ///   any, or with one that is empty, `.` or `..`, because it would lead to another path.
    ///
    /// # Examples
    ///
    /// ```
    /// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Outcome {
    /// # let (sidecar, client, caller) = start().await?;
    /// use entra_sidecar::DownstreamRequest;
    ///
    /// let name = "adelev@contoso.com/../?x";
    /// let request = DownstreamRequest::get_path(["users", name]);
    /// # client.call_downstream_api("Graph", &caller, request, None).await?;
    /// # assert_eq!(
    /// #     sidecar.api_requests()[0].acquisition.options.relative_path,
    /// #     "users/adelev%40contoso.com%2F..%2F%3Fx"
    /// # );
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn with_path<S: AsRef<str>>(method: Method, segments: impl IntoIterator<Item = S>) -> Self {
        let mut has_refused_segment = false;
        let segments: Vec<String> = segments
            .into_iter()
            .map(|segment| {
                has_refused_segment |= matches!(segment.as_ref(), "" | "." | "..");
                utf8_percent_encode(segment.as_ref(), ENCODED).to_string()
            })
            .collect();
        Self {
            has_refused_segment: has_refused_segment || segments.is_empty(),
            ..Self::new(method, segments.join("/"))
        }
    }

    /// Creates a GET request of encoded segments; see [`with_path`](Self::with_path).
    #[must_use]
    pub fn get_path<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self::with_path(Method::Get, segments)
    }

    /// Creates a POST request of encoded segments; see [`with_path`](Self::with_path).
    #[must_use]
    pub fn post_path<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self::with_path(Method::Post, segments)
    }

    /// Creates a PUT request of encoded segments; see [`with_path`](Self::with_path).
    #[must_use]
    pub fn put_path<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self::with_path(Method::Put, segments)
    }

    /// Creates a PATCH request of encoded segments; see [`with_path`](Self::with_path).
    #[must_use]
    pub fn patch_path<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self::with_path(Method::Patch, segments)
    }

    /// Creates a DELETE request of encoded segments; see [`with_path`](Self::with_path).
    #[must_use]
    pub fn delete_path<S: AsRef<str>>(segments: impl IntoIterator<Item = S>) -> Self {
        Self::with_path(Method::Delete, segments)
    }

    /// Creates the request that the sidecar is configured with: its verb and its path. It may have a body. Operations refuse
    /// it with anything else, because any override would reset the verb.
    ///
    /// It is the only request that a sidecar certainly sends
    /// [as the application](crate::SidecarClient::call_downstream_api_as_app), where it ignores overrides by default.
    #[must_use]
    pub fn as_configured() -> Self {
        Self {
            method: None,
            relative_path: None,
            has_refused_segment: false,
            accept: None,
            headers: BTreeMap::new(),
            query: BTreeMap::new(),
            content: None,
        }
    }

    /// Sets the accepted media type. Default: `application/json`.
    #[must_use]
    pub fn accept(mut self, media_type: impl Into<String>) -> Self {
        self.accept = Some(media_type.into());
        self
    }

    /// Sets a header. Names are equal in any case.
    ///
    /// Some headers are the sidecar's own. Operations refuse a request with a header that the sidecar would ignore.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.insert(name.into().to_ascii_lowercase(), value.into());
        self
    }

    /// Sets a parameter of the query. The sidecar encodes it.
    ///
    /// The sidecar would send one of several names that differ in case only. Operations refuse a request with such names; put
    /// them into the relative path.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.query.insert(name.into(), value.into());
        self
    }

    /// Sets the body to JSON.
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

    /// Sets the body to text. The sidecar reads all bodies as UTF-8, so binary content cannot be sent.
    ///
    /// # Arguments
    ///
    /// * `media_type` - The media type, such as `text/plain`. Operations refuse a request with a malformed one, because the
    ///   sidecar would send no body.
    /// * `text` - The body.
    #[must_use]
    pub fn text(self, media_type: impl Into<String>, text: impl Into<String>) -> Self {
        self.content(media_type, Bytes::from(text.into()))
    }

    fn content(mut self, media_type: impl Into<String>, content: Bytes) -> Self {
        self.content = Some((media_type.into(), content));
        self
    }

    /// Returns whether the verb is idempotent (RFC 9110, section 9.2.2). The configured verb is not known, so it is not.
    pub(crate) fn is_idempotent(&self) -> bool {
        matches!(
            self.method,
            Some(Method::Get | Method::Head | Method::Put | Method::Delete)
        )
    }

    /// Returns whether the request names its verb, so that it takes overrides.
    pub(crate) fn takes_overrides(&self) -> bool {
        self.method.is_some()
    }

    /// Returns the media type and the body.
    pub(crate) fn into_content(self) -> Option<(String, Bytes)> {
        self.content
    }

    /// Returns the parameters of the query, always with the verb: any override would reset it.
    ///
    /// # Arguments
    ///
    /// * `has_overrides` - `true` if the request to the sidecar has other overrides.
    pub(crate) fn parameters(&self, has_overrides: bool) -> Result<Vec<(String, String)>> {
        if self.has_refused_segment {
            return Err(invalid_argument(
                "the path of the request has no segment, or one that is empty or made of dots; check the values that it is \
                 built from",
            ));
        }
        let content_type = self.content.as_ref().map(|(media_type, _)| media_type.as_str());
        if !content_type.is_none_or(is_media_type) {
            return Err(invalid_argument(
                "the media type of the body is not of the form type/subtype, such as text/plain; the sidecar would send no \
                 body with it",
            ));
        }
        let Some(method) = self.method else {
            let extended = self.accept.is_some() || !self.headers.is_empty() || !self.query.is_empty();
            if has_overrides || extended {
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

/// The headers that the sidecar ignores: `ReservedHeaderNames` of its source, headers that it sets itself, and .NET's headers
/// of content.
const IGNORED_HEADERS: [&str; 12] = [
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

/// The prefixes of more such headers.
const IGNORED_PREFIXES: [&str; 3] = ["content-", "x-forwarded-", "x-ms-token-"];

/// Returns whether a text is a media type, with or without parameters (RFC 9110, section 8.3.1).
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

/// Returns whether a text is a list of a media type's parameters: `name=value` or `name="value"`.
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

/// Returns the rest behind a quoted text, whose first quote has been read.
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

/// Returns whether a text is a `token` (RFC 9110, section 5.6.2).
fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Refuses a malformed name of a header, and one that the sidecar would ignore. The name is in lower case.
fn check_header(name: &str) -> Result<()> {
    if !is_token(name) {
        return Err(invalid_argument("a header has a name that no header can have"));
    }
    let is_ignored = IGNORED_HEADERS.contains(&name) || IGNORED_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    if is_ignored {
        return Err(invalid_argument(format!(
            "the sidecar would ignore the header {name}; leave it out (`accept`, `json` and `text` set those of media \
             types)"
        )));
    }
    Ok(())
}

/// Refuses an empty value, which the sidecar would ignore, and one with a line break.
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
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;
    use url::Url;

    #[test]
    fn media_types_are_recognized() {
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

    /// Returns the path of a GET request, as a server reads it.
    fn read_path<S: AsRef<str>>(segments: &[S]) -> Option<Vec<String>> {
        let parameters = DownstreamRequest::get_path(segments).parameters(false).ok()?;
        let (_, path) = parameters.iter().find(|(name, _)| name.ends_with("RelativePath"))?;
        // The WHATWG parser resolves dots and slashes as .NET's Uri does.
        let url = Url::parse("https://api.contoso.com/v1.0/").unwrap().join(path).unwrap();
        assert_eq!((url.query(), url.fragment()), (None, None));
        let segments = url.path().strip_prefix("/v1.0/").unwrap().split('/');
        Some(
            segments
                .map(|segment| percent_decode_str(segment).decode_utf8().unwrap().into_owned())
                .collect(),
        )
    }

    #[test]
    fn segments_that_lead_elsewhere_are_refused() {
        for segments in [&[][..], &[""], &["a", ""], &["."], &["users", "..", "me"]] {
            assert_eq!(read_path(segments), None, "{segments:?}");
        }
        for segments in [["users", "..."], ["a b", "%2e%2e"], ["..\\", "?#"], ["me", "a/../b"]] {
            assert_eq!(read_path(&segments), Some(segments.map(str::to_owned).to_vec()));
        }
    }

    proptest! {
        #[test]
        fn segments_survive_a_round_trip(segments in prop::collection::vec("\\PC*|[./\\\\?#%]{1,4}|.*", 1..4)) {
            let is_refused = segments.iter().any(|segment| matches!(segment.as_str(), "" | "." | ".."));
            let expected = (!is_refused).then(|| segments.clone());
            prop_assert_eq!(read_path(&segments), expected);
        }

        #[test]
        fn media_types_are_one_line(text in "(text/plain ?; ?a=)?.*") {
            if is_media_type(&text) {
                prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }
    }
}
