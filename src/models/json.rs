//! Decoding of responses whose errors show nothing of what they hold.
//!
//! serde's own errors quote the value that they could not place, and that value may be a token. An error from here
//! has the place of the fault, by field path, line and column, and nothing of what stands there.

use azure_core::{Error, Result, error::ErrorKind};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// The most levels that a path shows. The service's own responses have two.
const MAX_LEVELS: usize = 8;

/// Decodes a body.
pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T> {
    serde_json::from_slice(body).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let at = format!("line {line}, column {column}");
        let path = path(body, line, column);
        let fault = match error.classify() {
            Category::Data => "has an unexpected value",
            Category::Eof => "ends too early",
            Category::Syntax | Category::Io => "is not JSON",
        };
        if path.is_empty() {
            malformed(&format!("{fault}, at {at}"))
        } else {
            malformed(&format!("{fault}, at `{path}`, {at}"))
        }
    })
}

/// Returns a field that the service always sends. `parent` is its place, empty for the response itself.
pub(super) fn required<T>(field: Option<T>, parent: &str, name: &str) -> Result<T> {
    field.ok_or_else(|| {
        let dot = if parent.is_empty() { "" } else { "." };
        malformed(&format!("has no `{parent}{dot}{name}`"))
    })
}

fn malformed(fault: &str) -> Error {
    Error::with_message(ErrorKind::DataConversion, format!("the service's response {fault}"))
}

/// Returns the beginning of the path of the value at a position that serde reported, such as `accessToken.expiresOn`.
fn path(body: &[u8], line: usize, column: usize) -> String {
    let line_start: usize = body
        .split_inclusive(|&byte| byte == b'\n')
        .take(line.saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let end = line_start.saturating_add(column);
    let mut levels = open_levels(body.get(..end).unwrap_or(body)).into_iter();
    let mut names: Vec<String> = levels
        .by_ref()
        .take(MAX_LEVELS)
        .filter_map(|level| match level {
            Level::Object(name) => name.map(|name| if is_plain(&name) { name } else { "?".to_owned() }),
            Level::Array(index) => Some(index.to_string()),
        })
        .collect();
    if levels.next().is_some() {
        names.push("…".to_owned());
    }
    names.join(".")
}

/// Returns whether a field's name can be shown: names of the service are short words, and no token is one.
fn is_plain(name: &str) -> bool {
    name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// An object or array that is open at some point of a text.
enum Level {
    /// With the name of the field that is being read.
    Object(Option<String>),
    /// With the index of the element that is being read.
    Array(usize),
}

/// Returns the objects and arrays that are open at the end of a text, the outermost first.
fn open_levels(text: &[u8]) -> Vec<Level> {
    let mut levels = Vec::new();
    let mut string = Vec::new();
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match (byte, levels.last_mut()) {
            (b'"', _) => string = rest_of_string(&mut bytes),
            (b'{', _) => levels.push(Level::Object(None)),
            (b'[', _) => levels.push(Level::Array(0)),
            (b'}' | b']', _) => drop(levels.pop()),
            (b':', Some(Level::Object(name))) => {
                *name = Some(String::from_utf8_lossy(&string).into_owned());
            }
            (b',', Some(Level::Object(name))) => *name = None,
            (b',', Some(Level::Array(index))) => *index += 1,
            _ => {}
        }
    }
    levels
}

/// Reads on to the end of a string.
fn rest_of_string(bytes: &mut impl Iterator<Item = u8>) -> Vec<u8> {
    let mut string = Vec::new();
    let mut escaped = false;
    for byte in bytes {
        match byte {
            b'"' if !escaped => break,
            _ => {
                escaped = byte == b'\\' && !escaped;
                string.push(byte);
            }
        }
    }
    string
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::tokens::AccessTokenBody;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only decoded")]
    struct Body {
        list: Option<Vec<Option<u8>>>,
        nested: Option<Nested>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    #[expect(dead_code, reason = "only decoded")]
    struct Nested {
        text: Option<String>,
    }

    fn error(body: &str) -> String {
        decode::<Body>(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn an_error_names_field_line_and_column() {
        // Columns are counted by hand: the last character of the value at fault.
        for (body, place) in [
            (r#"{"nested":{"text":12}}"#, "at `nested.text`, line 1, column 20"),
            (
                "{\n \"nested\": {\n  \"text\": true\n }\n}",
                "at `nested.text`, line 3, column 14",
            ),
            (r#"{"nested":"a, {b} \" c"}"#, "at `nested`, line 1, column 23"),
            (
                r#"{"other":{"x":[1,{}]},"list":[1,null,"2"]}"#,
                "at `list.2`, line 1, column 40",
            ),
            (r#"{"list":[1,300]}"#, "at `list.1`, line 1, column 14"),
            ("true", "value, at line 1, column 4"),
        ] {
            let error = error(body);
            assert!(error.contains("has an unexpected value"), "{error}");
            assert!(error.ends_with(place), "{body}: {error}");
        }
    }

    #[test]
    fn an_error_names_bad_and_incomplete_json() {
        assert!(error("<html>").contains("is not JSON, at line 1, column 1"));
        assert!(error(r#"{"nested":{"text":"a" "#).contains("ends too early, at `nested.text`"));
        assert!(error("").contains("ends too early, at line 1, column 0"));
    }

    #[test]
    fn an_error_about_a_deep_response_is_short() {
        for (open, path) in [("{\"a\":", "`a.a.a.a.a.a.a.a.…`"), ("{\"a\":[", "`a.0.a.0.a.0.a.0.…`")] {
            let error = error(&open.repeat(10_000));
            assert!(error.contains(path), "{error}");
            assert!(error.len() < 200, "{error}");
        }
        assert!(error(&"{\"a\":".repeat(8)).contains("`a.a.a.a.a.a.a.a`"));
    }

    #[test]
    fn an_error_shows_nothing_of_a_value() {
        let secret = "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjF9.c2lnbmF0dXJl";
        for body in [
            format!(r#"{{"token":{{"value":"{secret}"}}}}"#),
            format!(r#"{{"expiresOn":"{secret}"}}"#),
            format!(r#"{{"token":["{secret}"]}}"#),
            format!(r#""{secret}""#),
            format!(r#"{{"{secret}":{{"a":}}}}"#),
            format!(r#"{{"token":"{secret}"#),
            secret.to_owned(),
        ] {
            let Err(error) = decode::<AccessTokenBody>(body.as_bytes()) else {
                panic!("decoded {body}");
            };
            assert!(std::error::Error::source(&error).is_none());
            let shown = format!("{error} {error:?}");
            for fragment in [secret.get(..6), secret.get(22..30), secret.get(35..)] {
                assert!(!shown.contains(fragment.unwrap()), "{shown}");
            }
        }
    }

    #[test]
    fn a_missing_field_is_named() {
        let missing = required(None::<u8>, "accessToken", "expiresOn").unwrap_err();
        assert_eq!(
            missing.to_string(),
            "the service's response has no `accessToken.expiresOn`"
        );
        let missing = required(None::<u8>, "", "token").unwrap_err();
        assert_eq!(missing.to_string(), "the service's response has no `token`");
    }
}
