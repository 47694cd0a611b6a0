//! Redaction of secrets in texts that are logged or sent.

use std::{borrow::Cow, ops::Range};

/// Replaces a secret in base64 by `[hidden]`, also where it is percent-encoded or lacks its padding.
///
/// Every path is searched, so nothing is allocated unless a secret is found.
pub(crate) fn redact<'a>(text: Cow<'a, str>, secret: &str) -> Cow<'a, str> {
    let secret = secret.trim_end_matches('=').as_bytes();
    let Some(mut found) = find(&text, secret) else {
        return text;
    };
    let (mut shown, mut rest) = (String::new(), &*text);
    loop {
        let (before, after) = (rest.get(..found.start), rest.get(found.end..));
        shown.extend([before.unwrap_or_default(), "[hidden]"]);
        rest = after.unwrap_or_default();
        match find(rest, secret) {
            Some(next) => found = next,
            None => return Cow::Owned(shown + rest),
        }
    }
}

/// Finds the first occurrence of the secret.
fn find(text: &str, secret: &[u8]) -> Option<Range<usize>> {
    let (text, first) = (text.as_bytes(), *secret.first()?);
    let mut starts = (0..).zip(text).filter(|(_, byte)| [first, b'%'].contains(byte));
    starts.find_map(|(start, _)| {
        let length = length_at_start(text.get(start..)?, secret)?;
        Some(start..start + length)
    })
}

/// The length of the secret and its padding; `None` if the text does not begin with that.
fn length_at_start(text: &[u8], secret: &[u8]) -> Option<usize> {
    let mut rest = text;
    for expected in secret {
        let (byte, after) = split_first(rest)?;
        rest = (byte == *expected).then_some(after)?;
    }
    while let Some((b'=', after)) = split_first(rest) {
        rest = after;
    }
    Some(text.len() - rest.len())
}

/// The first byte, percent-decoded, and the rest.
fn split_first(text: &[u8]) -> Option<(u8, &[u8])> {
    let (first, rest) = text.split_first()?;
    let encoded = (*first == b'%').then(|| split_encoded(rest)).flatten();
    Some(encoded.unwrap_or((*first, rest)))
}

/// The byte whose digits follow a percent sign, which may be encoded several times itself, and the rest.
fn split_encoded(mut digits: &[u8]) -> Option<(u8, &[u8])> {
    while let Some(rest) = digits.strip_prefix(b"25") {
        digits = rest;
    }
    let ([high, low], rest) = digits.split_first_chunk()?;
    Some((digit(*high)? << 4 | digit(*low)?, rest))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16)?.try_into().ok()
}

/// The most characters of a header that are shown.
const MAX_HEADER: usize = 100;
/// The most characters of a path and query that are shown.
const MAX_TARGET: usize = 300;

/// The secrets of a request. Its methods return parts of the request without them, on one line and of bounded length.
pub(super) struct Secrets<'a> {
    keys: Vec<&'a str>,
    signature: &'a str,
}

impl<'a> Secrets<'a> {
    /// Collects the secrets of an emulator, and of a request with this `Authorization`.
    pub(super) fn new(keys: impl IntoIterator<Item = &'a str>, authorization: Option<&'a str>) -> Self {
        let (_, signature) = authorization
            .and_then(|text| text.split_once("Signature="))
            .unwrap_or_default();
        Self {
            keys: keys.into_iter().collect(),
            signature: signature.split('&').next().unwrap_or_default().trim(),
        }
    }

    /// The value of a header.
    pub(super) fn header(&self, value: Option<&str>) -> String {
        value.map_or_else(|| "[missing]".to_owned(), |value| self.line(value, MAX_HEADER))
    }

    /// A path and query. Of the query, only the api-version is shown.
    pub(super) fn target(&self, target: &str) -> String {
        let Some((path, query)) = target.split_once('?') else {
            return self.line(target, MAX_TARGET);
        };
        let parameters: Vec<_> = query
            .split('&')
            .map(|parameter| {
                if is_api_version(parameter) {
                    parameter
                } else {
                    "[hidden]"
                }
            })
            .collect();
        self.line(&format!("{path}?{}", parameters.join("&")), MAX_TARGET)
    }

    /// A string to sign, with its newlines as `\n`.
    pub(super) fn string_to_sign(&self, text: &str) -> String {
        let mut lines = text.splitn(3, '\n');
        let mut next = || lines.next().unwrap_or_default();
        let (verb, target, rest) = (next(), next(), next());
        format!(
            r"{}\n{}\n{}",
            self.line(verb, MAX_HEADER),
            self.target(target),
            self.line(rest, MAX_TARGET)
        )
    }

    fn line(&self, text: &str, max: usize) -> String {
        let keys = self.keys.iter().copied();
        let text = keys.chain([self.signature]).fold(text.into(), redact);
        let mut line: String = text.chars().take(max).flat_map(char::escape_debug).collect();
        if text.chars().nth(max).is_some() {
            line.push_str("[cut]");
        }
        line
    }
}

/// Returns whether a parameter of a query is an api-version of the service's form: a date, and `-preview` or nothing.
fn is_api_version(parameter: &str) -> bool {
    let Some((name, version)) = parameter.split_once('=') else {
        return false;
    };
    let date = version.strip_suffix("-preview").unwrap_or(version);
    name.eq_ignore_ascii_case("api-version")
        && date.len() == "2023-10-01".len()
        && date.chars().all(|c| c.is_ascii_digit() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_redacted(text: &str, expected: &str) {
        assert_eq!(redact(text.into(), "a+b/cd=="), expected, "{text}");
    }

    #[test]
    fn secret_is_redacted_in_every_encoding() {
        for (text, expected) in [
            ("a+b/cd==", "[hidden]"),
            ("a+b/cd", "[hidden]"),
            ("é/a+b/cd==/é", "é/[hidden]/é"),
            ("aa+b/cda+b/cd=a+b/c", "a[hidden][hidden]a+b/c"),
            ("a%2Bb%2Fcd%3D%3D.", "[hidden]."),
            ("%61+b%2fcd=%3d%", "[hidden]%"),
            ("a%252Bb%25252Fcd%253D", "[hidden]"),
        ] {
            assert_redacted(text, expected);
        }
    }

    #[test]
    fn other_text_stays() {
        for text in [
            "",
            "%",
            "%2",
            "%zz",
            "a+b/c",
            "A+b/cd==",
            "a%2Bb%2Gcd",
            "%25",
            "%252",
            "a%25b/cd",
            "a+b/é",
        ] {
            assert!(
                matches!(redact(text.into(), "a+b/cd=="), Cow::Borrowed(shown) if shown == text),
                "{text}"
            );
            assert_eq!(redact(text.into(), "=="), text);
            assert_eq!(redact(text.into(), ""), text);
        }
    }

    const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";

    #[track_caller]
    fn assert_part(part: impl Fn(&Secrets<'_>) -> String, expected: &str) {
        let authorization = Some("HMAC-SHA256 Signature=c2lnbmVk");
        assert_eq!(part(&Secrets::new([KEY, "b3RoZXI="], authorization)), expected);
    }

    #[test]
    fn query_shows_api_version_only() {
        for (target, expected) in [
            ("/a", "/a"),
            ("/a?", "/a?[hidden]"),
            ("/a?api-version=2023-10-01", "/a?api-version=2023-10-01"),
            (
                "/a?b=c&api-version=2025-03-02-preview",
                "/a?[hidden]&api-version=2025-03-02-preview",
            ),
            ("/a?api-version=secret", "/a?[hidden]"),
            ("/a?api-version=2023-10-01x", "/a?[hidden]"),
        ] {
            assert_part(|secrets| secrets.target(target), expected);
        }
    }

    #[test]
    fn header_is_one_line_and_cut() {
        assert_part(|secrets| secrets.header(None), "[missing]");
        assert_part(
            |secrets| secrets.header(Some("a\r\n\u{1b}[1m\u{2028}")),
            r"a\r\n\u{1b}[1m\u{2028}",
        );
        let cut = format!("{}[cut]", "é".repeat(100));
        assert_part(|secrets| secrets.header(Some(&"é".repeat(101))), &cut);
        assert_part(|secrets| secrets.header(Some(&"é".repeat(100))), &"é".repeat(100));
        let cut = format!("/{}[cut]", "a".repeat(299));
        assert_part(|secrets| secrets.target(&format!("/{}", "a".repeat(300))), &cut);
    }

    #[test]
    fn string_to_sign_is_one_line() {
        assert_part(
            |secrets| secrets.string_to_sign(&format!("POST\n/a?b=c\ndate;{KEY};hash\n")),
            r"POST\n/a?[hidden]\ndate;[hidden];hash\n",
        );
    }

    #[test]
    fn secret_in_wrong_place_is_redacted() {
        assert_part(|secrets| secrets.header(Some(&format!("a{KEY}b"))), "a[hidden]b");
        assert_part(|secrets| secrets.header(Some("ab3RoZXI=b")), "a[hidden]b");
        assert_part(|secrets| secrets.target("/c2lnbmVk/a"), "/[hidden]/a");
    }
}
