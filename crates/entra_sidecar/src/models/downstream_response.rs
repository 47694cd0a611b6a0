//! What a downstream API answered, as the sidecar tells it.

use super::json::decode;
use crate::error::DownstreamError;
use azure_core::{Error, Result, error::ErrorKind, http::StatusCode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a downstream API answered, whatever its status: redirects and failures are answers too, until
/// [`error_for_status`](Self::error_for_status) makes errors of them.
///
/// The sidecar tells of the headers of the content only: neither `Retry-After` nor `ETag`, `Location` or a request's id.
/// `Debug` shows the status, and nothing of the content.
#[derive(Clone, PartialEq, Eq)]
pub struct DownstreamResponse {
    api_name: String,
    status: StatusCode,
    headers: BTreeMap<String, Vec<String>>,
    content: Option<String>,
}

impl DownstreamResponse {
    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The first value of a header.
    ///
    /// # Arguments
    ///
    /// * `name` - The name, in any case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).first().map(String::as_str)
    }

    /// All values of a header.
    ///
    /// # Arguments
    ///
    /// * `name` - The name, in any case.
    #[must_use]
    pub fn header_values(&self, name: &str) -> &[String] {
        self.headers.get(&name.to_ascii_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// All headers, by their names in lower case.
    #[must_use]
    pub fn headers(&self) -> &BTreeMap<String, Vec<String>> {
        &self.headers
    }

    /// The content as text; `None` if there is none. The sidecar reads all content as text, which bytes of other kinds do
    /// not survive.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.content.as_deref()
    }

    /// Reads the content as JSON; `None` if there is none, as after a 202 or 204.
    ///
    /// # Errors
    ///
    /// The content is not JSON, or not of this type. The error does not show it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let content = self.text().map(str::trim).filter(|content| !content.is_empty());
        let Some(content) = content else {
            return Ok(None);
        };
        let what = format!("the content that {} answered", self.api_name);
        decode(content.as_bytes(), &what).map(Some)
    }

    /// Makes an error of every status but success (200 to 299).
    ///
    /// # Errors
    ///
    /// The status is another. The error's source is a [`DownstreamError`], whose text does not show the content.
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

    pub(crate) fn api_name(&self) -> &str {
        &self.api_name
    }

    /// Reads `DownstreamApiResult`. The source writes the status as a number and each header as a list; the sidecar's
    /// OpenAPI document also allows a number in a string, and its other documents show headers as strings.
    pub(crate) fn from_body(api_name: &str, body: &[u8]) -> Result<Self> {
        let body: Body = decode(body, "the sidecar's answer")?;
        let status = match &body.status_code {
            Value::Number(number) => number.as_u64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let status = status.filter(|status| (100..1000).contains(status));
        let Some(status) = status.and_then(|status| u16::try_from(status).ok()) else {
            return Err(malformed("has a `statusCode` that is no status"));
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
                        _ => Err(malformed("has a header that is no text")),
                    })
                    .collect::<Result<_>>()?,
                _ => return Err(malformed("has a header that is no text")),
            };
            headers.entry(name.to_ascii_lowercase()).or_default().extend(values);
        }
        Ok(Self {
            api_name: api_name.to_owned(),
            status: status.into(),
            headers,
            content: body.content,
        })
    }
}

fn malformed(fault: &str) -> Error {
    Error::with_message(ErrorKind::DataConversion, format!("the sidecar's answer {fault}"))
}

impl std::fmt::Debug for DownstreamResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DownstreamResponse")
            .field("api_name", &self.api_name)
            .field("status", &u16::from(self.status))
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    status_code: Value,
    headers: Option<BTreeMap<String, Value>>,
    content: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn read(body: &str) -> Result<DownstreamResponse> {
        DownstreamResponse::from_body("Graph", body.as_bytes())
    }

    #[test]
    fn all_shapes_of_an_answer_are_read() {
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
    fn empty_content_is_no_json_and_other_content_is_an_error_that_does_not_show_it() {
        let answered = |content: &str| {
            let body = json!({ "statusCode": 200, "headers": {}, "content": content });
            read(&body.to_string()).unwrap()
        };
        for content in ["", " \r\n"] {
            assert_eq!(answered(content).json::<Value>().unwrap(), None);
        }
        assert_eq!(answered("null").json::<Value>().unwrap(), Some(Value::Null));
        assert_eq!(answered("[]").json::<Vec<u8>>().unwrap(), Some(vec![]));
        for content in ["<html>SECRET", r#"{"a":"SECRET"#, r#""SECRET""#, "SECRET"] {
            let error = answered(content).json::<u8>().unwrap_err();
            assert_eq!(*error.kind(), ErrorKind::DataConversion);
            assert!(error.to_string().contains("Graph"), "{error}");
            assert!(!format!("{error} {error:?} {:?}", answered(content)).contains("SECRET"));
        }
    }

    #[test]
    fn what_is_no_answer_is_refused_without_being_shown() {
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
        ] {
            let error = read(body).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{body}: {error:?}");
        }
    }

    #[test]
    fn every_status_but_success_is_an_error_on_request() {
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
        fn any_answer_of_the_sources_shape_is_read_whole(
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
        fn any_body_is_read_without_panic(body in ".*") {
            let _ = read(&body);
            let _ = read(&format!(r#"{{"statusCode":200,"content":{body}}}"#));
        }
    }
}
