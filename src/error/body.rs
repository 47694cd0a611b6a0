//! The bodies of failures: the service's error, or an excerpt of another body.

use serde_json::Value;

/// The most characters that an error shows of a body that is not the service's.
const EXCERPT_LEN: usize = 200;

/// The least length of a run of base64 that could be a piece of a key, a token or a signature.
const SECRET_LEN: usize = 16;

/// An error within an error: one of its details, or its inner error.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{CommunicationError, CommunicationErrorDetail};
/// use azure_core::http::StatusCode;
///
/// let mut detail = CommunicationErrorDetail::default();
/// detail.code = Some("InvalidScope".to_owned());
/// let mut error = CommunicationError::new(StatusCode::BadRequest);
/// error.details.push(detail);
/// assert_eq!(error.to_string(), "400 Bad Request; detail: InvalidScope");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommunicationErrorDetail {
    /// The service's error code.
    pub code: Option<String>,
    /// The service's message.
    pub message: Option<String>,
    /// The subject of the error, such as a property of the request.
    pub target: Option<String>,
    /// Further errors that led to this one.
    pub details: Vec<CommunicationErrorDetail>,
    /// A more specific error.
    pub inner_error: Option<Box<CommunicationErrorDetail>>,
}

impl CommunicationErrorDetail {
    /// Reads an error. A field of another type than documented is skipped, so that it does not cost the others.
    fn from_json(error: &Value) -> Option<Self> {
        let error = error.as_object()?;
        let text = |name| error.get(name).and_then(Value::as_str).map(str::to_owned);
        let details = error.get("details").and_then(Value::as_array);
        let inner_error = error.get("innererror").or_else(|| error.get("innerError"));
        Some(Self {
            code: text("code"),
            message: text("message"),
            target: text("target"),
            details: details.into_iter().flatten().filter_map(Self::from_json).collect(),
            inner_error: inner_error.and_then(Self::from_json).map(Box::new),
        })
    }
}

/// Returns the service's error if the body holds one: `{"error":{"code":…,"message":…}}`.
pub(super) fn parse(body: &[u8]) -> Option<CommunicationErrorDetail> {
    let body: Value = serde_json::from_slice(body).ok()?;
    CommunicationErrorDetail::from_json(body.get("error")?)
}

/// Returns the service's error if the body has the members that its specification requires: `code` and `message`.
pub(crate) fn service_error(body: &[u8]) -> Option<CommunicationErrorDetail> {
    parse(body).filter(|error| error.code.is_some() && error.message.is_some())
}

/// Returns the beginning of a body that is not the service's as one line, or `None` if it has no text.
///
/// A gateway may echo the request, so pieces that could be a secret are masked, also where line breaks split it.
pub(crate) fn excerpt(body: &[u8]) -> Option<String> {
    // A multiple of the excerpt, so that markup full of white space still shows some text.
    let beginning = body.get(..EXCERPT_LEN * 8);
    let text = String::from_utf8_lossy(beginning.unwrap_or(body));
    let mut words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .collect();
    if beginning.is_some() && !text.ends_with(char::is_whitespace) {
        // Cut off, and perhaps too short to be known for a secret.
        words.pop();
    }
    let excerpt: String = mask_secrets(&words.join(" ")).chars().take(EXCERPT_LEN).collect();
    (!excerpt.is_empty()).then_some(excerpt)
}

/// Replaces each run of base64 that is long enough to be a secret, with the pieces that a space may have split off.
fn mask_secrets(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(start) = rest.find(is_secret_char) {
        let (before, runs) = rest.split_at(start);
        let end = joined_len(runs);
        let (joined, after) = runs.split_at(end);
        masked.push_str(before);
        let pieces = joined.split(' ').filter(|piece| !is_plain_word(piece));
        if pieces.map(str::len).sum::<usize>() < SECRET_LEN {
            masked.push_str(joined);
        } else {
            masked.push('…');
        }
        rest = after;
    }
    masked.push_str(rest);
    masked
}

/// Returns the length of the run of base64 at the beginning of a text, and of those that only a space separates from it. A
/// plain word is a run of its own.
fn joined_len(text: &str) -> usize {
    let run_len = |text: &str| text.find(|c| !is_secret_char(c)).unwrap_or(text.len());
    let mut end = run_len(text);
    if text.get(..end).is_some_and(is_plain_word) {
        return end;
    }
    while let Some(next) = text.get(end..).and_then(|rest| rest.strip_prefix(' ')) {
        let len = run_len(next);
        if len == 0 || next.get(..len).is_some_and(is_plain_word) {
            break;
        }
        end += 1 + len;
    }
    end
}

/// Returns whether a run is a plain word, which is no piece of a secret.
fn is_plain_word(run: &str) -> bool {
    let is_lowercase = run
        .chars()
        .enumerate()
        .all(|(index, c)| c.is_ascii_lowercase() || index == 0 && c.is_ascii_uppercase());
    is_lowercase && run.len() < SECRET_LEN
}

/// Returns whether a character is in one of the base64 alphabets, or in their forms in a URL, in JSON or in HTML.
fn is_secret_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_=%&#;\\".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_error_is_read_whole() {
        let body = br#"{"error":{"code":"ValidationError","message":"say \"when\"\n","target":"a","details":null,
            "innererror":{"code":"B","details":[{"code":"C","message":"m"}]},"more":1}}"#;
        let error = parse(body).unwrap();
        assert_eq!(error.message.as_deref(), Some("say \"when\"\n"));
        assert_eq!(error.details, []);
        let inner = error.inner_error.unwrap();
        assert_eq!(inner.code.as_deref(), Some("B"));
        assert_eq!(inner.details[0].message.as_deref(), Some("m"));
    }

    #[test]
    fn a_field_of_another_type_is_skipped() {
        for odd in [
            r#""details":[null,1,{"code":"D"}]"#,
            r#""details":{"code":"D"}"#,
            r#""innererror":"text""#,
            r#""target":{}"#,
        ] {
            let body = format!(r#"{{"error":{{"code":"A","message":"m",{odd}}}}}"#);
            let error = parse(body.as_bytes()).unwrap();
            assert_eq!(
                (error.code.as_deref(), error.message.as_deref()),
                (Some("A"), Some("m"))
            );
        }
        let error = parse(br#"{"error":{"code":400,"message":"m"}}"#).unwrap();
        assert_eq!((error.code, error.message.as_deref()), (None, Some("m")));
    }

    #[test]
    fn a_gateways_body_becomes_an_excerpt() {
        for (body, expected) in [
            ("", None),
            (" \r\n\t ", None),
            (
                "<html>\r\n<h1>502\tBad Gateway</h1>",
                Some("<html> <h1>502 Bad Gateway</h1>"),
            ),
            (r#"{"message":"oops"}"#, Some(r#"{"message":"oops"}"#)),
            (r#"{"error":null}"#, Some(r#"{"error":null}"#)),
            (r#"{"error":"oops"}"#, Some(r#"{"error":"oops"}"#)),
            ("null", Some("null")),
        ] {
            assert_eq!(parse(body.as_bytes()), None, "{body}");
            assert_eq!(excerpt(body.as_bytes()).as_deref(), expected, "{body}");
        }
        assert_eq!(excerpt(b"\xff\xfe!").as_deref(), Some("\u{fffd}\u{fffd}!"));
    }

    #[test]
    fn an_excerpt_is_short_and_masks_secrets() {
        let long = excerpt("word ".repeat(10_000).as_bytes()).unwrap();
        assert_eq!(long.chars().count(), EXCERPT_LEN);

        let echo = "authorization: HMAC-SHA256 SignedHeaders=x&Signature=88MDmJhUR3m5QhFxb8ztShsSwlGrg7g/6XPnWf7QEO4= \
            token: eyJhbGciOiJSUzI1NiJ9.eyJza3lwZWlkIjoiYWNzOmFfYiJ9.c2lnbmF0dXJlIG9mIGl0";
        let excerpt = excerpt(echo.as_bytes()).unwrap();
        assert_eq!(excerpt, "authorization: … token: ….….…");
    }

    #[test]
    fn the_pieces_of_a_split_secret_are_masked() {
        for (body, expected) in [
            ("key 8801234567890123456789\r\n4598765432+/= is bad", "key … is bad"),
            ("8801234567890123456789 1234= 1234=", "…"),
            ("8801234567890123456789 was Refused", "… was Refused"),
            // A key of 44 characters in lines of 13.
            (
                "the key\n8801234567890\n1234567890123\n4567890123+/4\n5678=\nis bad",
                "the key … is bad",
            ),
            // A short piece before a long one.
            ("1234= 8801234567890123456789", "…"),
            (r"8801234567890\/1234567890123", "…"),
            ("abcdefghijklmnopqrstuvwx", "…"),
            ("HTTP 404 on port 8443", "HTTP 404 on port 8443"),
        ] {
            assert_eq!(excerpt(body.as_bytes()).as_deref(), Some(expected));
        }
        // Cut off behind the beginning that is read.
        let long = format!("{}880123456789012", " ".repeat(EXCERPT_LEN * 8 - 10));
        assert_eq!(excerpt(long.as_bytes()), None);
    }
}
