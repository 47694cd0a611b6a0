//! The response of a downstream API.

use super::responses::decode;
use crate::{claims::ClaimsChallenge, error::unexpected_response};
use azure_core::{Error, Result, error::ErrorKind, http::StatusCode};
use client_core::error::find;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, error::Category};
use std::{collections::BTreeMap, fmt};

/// The response of a downstream API, with any status. [`error_for_status`](Self::error_for_status) turns redirects and
/// failures into errors.
///
/// The sidecar passes on the headers of the content only: no `Retry-After`, `ETag`, `Location` or request ID. `Debug` shows
/// the status, and nothing of the content.
#[derive(Clone, PartialEq, Eq)]
pub struct DownstreamResponse {
    api_name: String,
    is_for_caller: bool,
    status: StatusCode,
    headers: BTreeMap<String, Vec<String>>,
    content: Option<String>,
}

impl DownstreamResponse {
    /// Returns the status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Returns the first value of a header.
    ///
    /// # Arguments
    ///
    /// * `name` - The name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).first().map(String::as_str)
    }

    /// Returns all values of a header.
    ///
    /// # Arguments
    ///
    /// * `name` - The name, in any case.
    #[must_use]
    pub fn header_values(&self, name: &str) -> &[String] {
        self.headers.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Returns all headers, by their names in lower case.
    #[must_use]
    pub fn headers(&self) -> &BTreeMap<String, Vec<String>> {
        &self.headers
    }

    /// Returns the content as text; `None` without content. The sidecar reads all content as text, which damages binary
    /// content.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.content.as_deref()
    }

    /// Returns the claims, as JSON, of a claims challenge in a 401: another token must have them. `None` without a challenge.
    ///
    /// The sidecar's source, at commit dfeab823, passes on the headers of content only, and `WWW-Authenticate` is not one of
    /// them. A handler that needs the challenges of an API must call it by itself, with the token of an
    /// [authorization header](crate::SidecarClient::authorization_header), and hand them on by
    /// [`HandlerError::from_claims_challenge`](crate::web::HandlerError::from_claims_challenge).
    #[must_use]
    pub fn claims_challenge(&self) -> Option<String> {
        self.read_claims_challenge()
            .map(|challenge| challenge.as_json().to_owned())
    }

    /// Returns the claims challenge to the caller. The application and an agent's user cannot be asked.
    pub(crate) fn claims_challenge_to_caller(&self) -> Option<ClaimsChallenge> {
        self.read_claims_challenge().filter(|_| self.is_for_caller)
    }

    fn read_claims_challenge(&self) -> Option<ClaimsChallenge> {
        if self.status != StatusCode::Unauthorized {
            return None;
        }
        let mut challenges = self.header_values("www-authenticate").iter();
        challenges.find_map(|challenge| ClaimsChallenge::from_header(challenge))
    }

    /// Parses the content as JSON; `None` without content, as in a 202 or 204.
    ///
    /// # Errors
    ///
    /// The content is not JSON, or not of this type. The error does not show it: serde's own errors would quote the value.
    pub fn json<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let content = self.text().map(str::trim).filter(|content| !content.is_empty());
        let Some(content) = content else {
            return Ok(None);
        };
        serde_json::from_str(content)
            .map(Some)
            .map_err(|error| self.unreadable_content(&error))
    }

    /// Turns every status but success (200 to 299) into an error.
    ///
    /// # Errors
    ///
    /// The status is not a success. The source of the error is a [`DownstreamError`], whose text does not show the content.
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
    /// let response = client
    ///     .call_downstream_api("Graph", &caller, DownstreamRequest::get("me"), None)
    ///     .await?
    ///     .error_for_status()?;
    /// let profile: Option<serde_json::Value> = response.json()?;
    /// # assert_eq!(profile.unwrap()["displayName"], "Adele Vance");
    /// # Ok(()) }
    /// ```
    pub fn error_for_status(self) -> Result<Self> {
        if self.status.is_success() {
            return Ok(self);
        }
        let kind = ErrorKind::HttpResponse {
            status: self.status,
            error_code: None,
            raw_response: None,
        };
        Err(Error::new(kind, DownstreamError { response: self }))
    }

    fn unreadable_content(&self, error: &serde_json::Error) -> Error {
        let fault = match error.classify() {
            Category::Data => "has a missing or unexpected value",
            Category::Eof => "ends too early",
            Category::Syntax | Category::Io => "is not JSON",
        };
        let text = format!(
            "the content of {}'s response {fault}, at line {}, column {}",
            self.api_name,
            error.line(),
            error.column()
        );
        Error::with_message(ErrorKind::DataConversion, text)
    }

    /// Reads `DownstreamApiResult`. The source writes the status as a number and each header as a list. The sidecar's OpenAPI
    /// document also allows a number in a string, and its other documents show headers as strings.
    ///
    /// # Arguments
    ///
    /// * `is_for_caller` - `true` if the API was called with a token of the caller.
    pub(crate) fn from_body(api_name: &str, is_for_caller: bool, body: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Body {
            status_code: Value,
            headers: Option<BTreeMap<String, Value>>,
            content: Option<String>,
        }

        let body: Body = decode(body)?;
        let status = match &body.status_code {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let status = status.filter(|status| (100..1000).contains(status));
        let Some(status) = status.and_then(|status| u16::try_from(status).ok()) else {
            return Err(unexpected_response("has a `statusCode` that is not a status"));
        };
        let mut headers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, values) in body.headers.unwrap_or_default() {
            let values = match values {
                Value::Null => Vec::new(),
                Value::String(value) => vec![value],
                Value::Array(values) => values
                    .into_iter()
                    .map(|value| match value {
                        Value::String(value) => Ok(value),
                        _ => Err(unexpected_response("has a header that is not text")),
                    })
                    .collect::<Result<_>>()?,
                _ => return Err(unexpected_response("has a header that is not text")),
            };
            headers.entry(name.to_ascii_lowercase()).or_default().extend(values);
        }
        Ok(Self {
            api_name: api_name.to_owned(),
            is_for_caller,
            status: status.into(),
            headers,
            content: body.content,
        })
    }
}

impl fmt::Debug for DownstreamResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DownstreamResponse")
            .field("api_name", &self.api_name)
            .field("status", &u16::from(self.status))
            .finish_non_exhaustive()
    }
}

/// The error of a downstream API: a response other than success, from
/// [`error_for_status`](DownstreamResponse::error_for_status).
///
/// `Display` and `Debug` omit the content.
#[derive(Debug)]
pub struct DownstreamError {
    response: DownstreamResponse,
}

impl DownstreamError {
    /// Finds the failure in an error, also in one that has been wrapped with more context.
    ///
    /// # Arguments
    ///
    /// * `error` - An error.
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        find(error)
    }

    /// Returns the response.
    #[must_use]
    pub fn response(&self) -> &DownstreamResponse {
        &self.response
    }
}

impl fmt::Display for DownstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DownstreamResponse { api_name, status, .. } = &self.response;
        let reason = status.canonical_reason();
        write!(
            f,
            "the downstream API {api_name} answered {} {reason}",
            u16::from(*status)
        )
    }
}

impl std::error::Error for DownstreamError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(body: &str) -> Result<DownstreamResponse> {
        DownstreamResponse::from_body("Graph", true, body.as_bytes())
    }

    #[test]
    fn all_documented_shapes_are_read() {
        let response = read(
            r#"{"statusCode":"200","headers":{"Content-Type":"text/plain","X":["a","b"],"Y":null},"content":"ä"}"#,
        )
        .unwrap();
        assert_eq!(response.status(), StatusCode::Ok);
        assert_eq!(response.header("content-TYPE"), Some("text/plain"));
        assert_eq!(response.header_values("x"), ["a", "b"]);
        assert_eq!((response.header("y"), response.header("z")), (None, None));
        assert_eq!(response.text(), Some("ä"));

        let response = read(r#"{"statusCode":202,"headers":{},"content":null}"#).unwrap();
        assert_eq!(response.text(), None);
        assert_eq!(response.json::<Value>().unwrap(), None);
        let response = read(r#"{"statusCode":299}"#).unwrap();
        assert_eq!(response.status(), StatusCode::UnknownValue(299));
    }

    #[test]
    fn content_is_parsed_and_not_shown() {
        let with_content = |content: &str| {
            let body = json!({ "statusCode": 200, "headers": {}, "content": content });
            read(&body.to_string()).unwrap()
        };
        for content in ["", " \r\n"] {
            assert_eq!(with_content(content).json::<Value>().unwrap(), None);
        }
        assert_eq!(with_content("null").json::<Value>().unwrap(), Some(Value::Null));
        assert_eq!(with_content("[]").json::<Vec<u8>>().unwrap(), Some(vec![]));
        for content in ["<html>SECRET", r#"{"a":"SECRET"#, r#""SECRET""#, "SECRET"] {
            let error = with_content(content).json::<u8>().unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::DataConversion);
            assert!(error.to_string().contains("Graph"), "{error}");
            assert!(!format!("{error} {error:?} {:?}", with_content(content)).contains("SECRET"));
        }
    }

    #[test]
    fn other_bodies_are_refused_and_not_shown() {
        for body in [
            "",
            "SECRET",
            "[]",
            "{}",
            r#"{"statusCode":null,"content":"SECRET"}"#,
            r#"{"statusCode":"SECRET"}"#,
            r#"{"statusCode":-1}"#,
            r#"{"statusCode":99}"#,
            r#"{"statusCode":70000}"#,
            r#"{"statusCode":200.5}"#,
            r#"{"statusCode":200,"headers":["SECRET"]}"#,
            r#"{"statusCode":200,"headers":{"a":{"b":"SECRET"}}}"#,
            r#"{"statusCode":200,"headers":{"a":["SECRET",1]}}"#,
            r#"{"statusCode":200,"content":{"a":"SECRET"}}"#,
            r#"[200,null,"SECRET"]"#,
        ] {
            let error = read(body).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{body}: {error:?}");
        }
    }

    #[test]
    fn statuses_but_success_become_errors() {
        for (status, succeeds) in [
            (200, true),
            (202, true),
            (299, true),
            (199, false),
            (302, false),
            (404, false),
        ] {
            let body = json!({ "statusCode": status, "content": "SECRET" }).to_string();
            let result = read(&body).unwrap().error_for_status();
            assert_eq!(result.is_ok(), succeeds, "{status}");
            let Err(error) = result else { continue };
            assert_eq!(error.http_status(), Some(status.into()));
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
            let error = DownstreamError::from_error(&error).unwrap();
            assert_eq!(error.response().text(), Some("SECRET"));
        }
    }

    proptest! {
        #[test]
        fn results_survive_a_round_trip(
            status in 100..1000_u16,
            name in "[A-Za-z-]{1,12}",
            values in prop::collection::vec(".*", 0..3),
            content in prop::option::of(".*"),
        ) {
            let body = json!({ "statusCode": status, "headers": { &name: &values }, "content": &content });
            let response = read(&body.to_string()).unwrap();
            prop_assert_eq!(u16::from(response.status()), status);
            prop_assert_eq!(response.header_values(&name), values);
            prop_assert_eq!(response.text(), content.as_deref());
        }

        #[test]
        fn no_body_causes_a_panic(body in ".*") {
            let _ = read(&body);
            let _ = read(&format!(r#"{{"statusCode":200,"content":{body}}}"#));
        }
    }
}
