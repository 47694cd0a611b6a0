//! The body of a failure: the service's own, or whatever stands in its place.

use serde::{Deserialize, Deserializer};

/// The most characters of a foreign body that an error repeats.
const EXCERPT_LEN: usize = 200;

/// A run of so many characters of base64 could be a piece of a key, a token or a signature.
const SECRET_LEN: usize = 16;

/// An error within an error: one of its details, or its inner error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct CommunicationErrorDetail {
    /// The service's error code.
    pub code: Option<String>,
    /// The service's message.
    pub message: Option<String>,
    /// What the error is about, such as a property of the request.
    pub target: Option<String>,
    /// Further errors that led to this one.
    #[serde(default, deserialize_with = "null_as_default")]
    pub details: Vec<CommunicationErrorDetail>,
    /// A more specific error.
    #[serde(rename = "innererror", alias = "innerError")]
    pub inner_error: Option<Box<CommunicationErrorDetail>>,
}

fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// What the body of a failure holds: an error of the service, or else its beginning, or nothing.
#[derive(Debug, Default)]
pub(super) struct ErrorBody {
    pub(super) error: Option<CommunicationErrorDetail>,
    pub(super) excerpt: Option<String>,
}

pub(super) fn parse(body: &[u8]) -> ErrorBody {
    #[derive(Deserialize)]
    struct Envelope {
        error: Option<CommunicationErrorDetail>,
    }

    match serde_json::from_slice(body) {
        Ok(Envelope { error: Some(error) }) => ErrorBody {
            error: Some(error),
            excerpt: None,
        },
        _ => ErrorBody {
            error: None,
            excerpt: excerpt(body),
        },
    }
}

/// The beginning of a foreign body as one line, or nothing if it has no text.
///
/// A gateway may echo the request, so words that could be a secret are masked.
fn excerpt(body: &[u8]) -> Option<String> {
    // A multiple of the excerpt, so that markup full of white space still shows some text.
    let beginning = body.get(..EXCERPT_LEN * 8).unwrap_or(body);
    let text = String::from_utf8_lossy(beginning);
    let words: Vec<String> = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|word| !word.is_empty())
        .map(mask)
        .collect();
    let excerpt: String = words.join(" ").chars().take(EXCERPT_LEN).collect();
    (!excerpt.is_empty()).then_some(excerpt)
}

/// Replaces each run of characters in a word that is long enough to be a secret.
fn mask(word: &str) -> String {
    word.split_inclusive(|c| !is_secret_char(c))
        .map(|piece| {
            let run = piece.trim_end_matches(|c| !is_secret_char(c));
            if run.len() < SECRET_LEN {
                piece.to_owned()
            } else {
                piece.replace(run, "…")
            }
        })
        .collect()
}

/// The base64 alphabets, and what their characters turn into in a URL or in HTML.
fn is_secret_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "+/-_=%&#;".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_services_own_error_is_read_whole() {
        let body = br#"{"error":{"code":"ValidationError","message":"say \"when\"\n","target":"a","details":null,
            "innererror":{"code":"B","details":[{"code":"C","message":"m"}]},"more":1}}"#;
        let ErrorBody { error, excerpt } = parse(body);
        let error = error.unwrap();
        assert_eq!(error.message.as_deref(), Some("say \"when\"\n"));
        assert_eq!(error.details, []);
        let inner = error.inner_error.unwrap();
        assert_eq!(inner.code.as_deref(), Some("B"));
        assert_eq!(inner.details[0].message.as_deref(), Some("m"));
        assert_eq!(excerpt, None);
    }

    #[test]
    fn a_body_that_is_not_the_services_own_becomes_an_excerpt_on_one_line() {
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
            let parsed = parse(body.as_bytes());
            assert_eq!(parsed.error, None, "{body}");
            assert_eq!(parsed.excerpt.as_deref(), expected, "{body}");
        }
        assert_eq!(parse(b"\xff\xfe!").excerpt.as_deref(), Some("\u{fffd}\u{fffd}!"));
    }

    #[test]
    fn an_excerpt_is_short_and_masks_what_could_be_a_secret() {
        let long = parse("word ".repeat(10_000).as_bytes()).excerpt.unwrap();
        assert_eq!(long.chars().count(), EXCERPT_LEN);

        let echo = "authorization: HMAC-SHA256 SignedHeaders=x&Signature=88MDmJhUR3m5QhFxb8ztShsSwlGrg7g/6XPnWf7QEO4= \
            token: eyJhbGciOiJSUzI1NiJ9.eyJza3lwZWlkIjoiYWNzOmFfYiJ9.c2lnbmF0dXJlIG9mIGl0";
        let excerpt = parse(echo.as_bytes()).excerpt.unwrap();
        assert_eq!(excerpt, "authorization: HMAC-SHA256 … token: ….….…");
    }
}
