//! Problem details (RFC 9457) in the sidecar's responses.

use client_core::json;
use serde_json::{Map, Value};
use std::fmt;

/// The longest title in errors, in characters.
const MAX_TITLE: usize = 100;

/// A problem in the sidecar's response ([RFC 9457]).
///
/// `detail`, `instance` and `extensions` can name people, tenants and applications: show them to operators only. `Debug`
/// omits them.
///
/// [RFC 9457]: https://www.rfc-editor.org/rfc/rfc9457
#[derive(Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ProblemDetails {
    /// The URI of the problem's type.
    pub problem_type: Option<String>,
    /// A short text, the same for all problems of the type.
    pub title: Option<String>,
    /// The status of the response.
    pub status: Option<u16>,
    /// The details of this occurrence, such as the text of Entra ID's error.
    pub detail: Option<String>,
    /// The URI of this occurrence.
    pub instance: Option<String>,
    /// All other members.
    pub extensions: Map<String, Value>,
}

impl ProblemDetails {
    /// Reads a problem; `None` for an object without a title, a status or a detail.
    ///
    /// A member of another type than documented goes to the extensions, so that the others are still read.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut members: Map<String, Value> = json::object(body)?;
        let problem = Self {
            problem_type: take_text(&mut members, "type"),
            title: take_text(&mut members, "title"),
            status: take_status(&mut members),
            detail: take_text(&mut members, "detail"),
            instance: take_text(&mut members, "instance"),
            extensions: members,
        };
        let is_problem = problem.title.is_some() || problem.status.is_some() || problem.detail.is_some();
        is_problem.then_some(problem)
    }

    /// Returns the title on one line, shortened.
    pub(crate) fn safe_title(&self) -> Option<String> {
        let title = self.title.as_deref()?.chars().take(MAX_TITLE);
        let title: String = title.map(|c| if c.is_control() { ' ' } else { c }).collect();
        Some(title.trim().to_owned()).filter(|title| !title.is_empty())
    }
}

/// Removes a text and returns it; `None` for null.
fn take_text(members: &mut Map<String, Value>, name: &str) -> Option<String> {
    match members.get(name)? {
        Value::String(text) => {
            let text = text.clone();
            members.remove(name);
            Some(text)
        }
        Value::Null => {
            members.remove(name);
            None
        }
        _ => None,
    }
}

/// Removes the status and returns it. The sidecar's OpenAPI document allows a number, and a number in a string.
fn take_status(members: &mut Map<String, Value>) -> Option<u16> {
    let status = match members.get("status")? {
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    if status.is_some() {
        members.remove("status");
    }
    status
}

impl fmt::Debug for ProblemDetails {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProblemDetails")
            .field("title", &self.safe_title())
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn all_members_of_a_problem_are_read() {
        let body =
            br#"{"type":"https://tools.ietf.org/html/rfc9110#section-15.5.2","title":"Unauthorized","status":401,
            "detail":"AADSTS65001: PERSON","instance":"/x","traceId":"00-abc","errors":{"a":[1]}}"#;
        let problem = ProblemDetails::parse(body).unwrap();
        assert_eq!(
            problem.problem_type.as_deref(),
            Some("https://tools.ietf.org/html/rfc9110#section-15.5.2")
        );
        assert_eq!(problem.title.as_deref(), Some("Unauthorized"));
        assert_eq!(problem.status, Some(401));
        assert_eq!(problem.detail.as_deref(), Some("AADSTS65001: PERSON"));
        assert_eq!(problem.instance.as_deref(), Some("/x"));
        assert_eq!(
            Value::Object(problem.extensions.clone()),
            json!({ "traceId": "00-abc", "errors": { "a": [1] } })
        );
        let shown = format!("{problem:?}");
        assert!(shown.contains("Unauthorized") && !shown.contains("PERSON"), "{shown}");
    }

    #[test]
    fn a_member_of_another_type_is_an_extension() {
        let problem = ProblemDetails::parse(br#"{"title":"t","status":"403","detail":null,"type":7,"instance":[]}"#);
        let problem = problem.unwrap();
        assert_eq!((problem.title.as_deref(), problem.status), (Some("t"), Some(403)));
        assert_eq!((problem.detail, problem.problem_type), (None, None));
        assert_eq!(Value::Object(problem.extensions), json!({ "type": 7, "instance": [] }));
        let problem = ProblemDetails::parse(br#"{"title":"t","status":70000}"#).unwrap();
        assert_eq!((problem.status, problem.extensions.len()), (None, 1));
    }

    #[test]
    fn other_bodies_are_not_problems() {
        for body in [
            "",
            "null",
            "[]",
            "7",
            "{}",
            r#"{"error":"x"}"#,
            "<html>",
            r#"{"title":"#,
        ] {
            assert_eq!(ProblemDetails::parse(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn titles_are_one_short_line() {
        let problem = ProblemDetails {
            title: Some(format!(" a\r\nb{}", "c".repeat(1000))),
            ..Default::default()
        };
        let title = problem.safe_title().unwrap();
        assert!(title.starts_with("a  bc") && title.len() < 100, "{title}");
    }

    proptest! {
        #[test]
        fn problems_survive_a_round_trip(
            title in ".*",
            status in any::<u16>(),
            as_text in any::<bool>(),
            detail in prop::option::of(".*"),
        ) {
            let status_member = if as_text { json!(status.to_string()) } else { json!(status) };
            let body = json!({ "title": &title, "status": status_member, "detail": &detail }).to_string();
            let problem = ProblemDetails::parse(body.as_bytes()).unwrap();
            prop_assert_eq!((problem.title, problem.status, problem.detail), (Some(title), Some(status), detail));
            prop_assert!(problem.extensions.is_empty());
        }

        #[test]
        fn no_body_causes_a_panic(body in ".*") {
            ProblemDetails::parse(body.as_bytes());
            ProblemDetails::parse(format!(r#"{{"title":{body}}}"#).as_bytes());
        }
    }
}
