//! Secrets in texts that are shown.

use std::{borrow::Cow, ops::Range};

/// The text with `[hidden]` wherever it contains a secret in base64, also percent-encoded or without its padding.
///
/// Every path is searched, so nothing is allocated unless a secret is found.
pub(crate) fn hide<'a>(text: Cow<'a, str>, secret: &str) -> Cow<'a, str> {
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

/// Where the text first contains the secret.
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

/// The byte whose digits follow a percent sign, however often that is encoded itself, and the rest.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn assert_shown(text: &str, expected: &str) {
        assert_eq!(hide(text.into(), "a+b/cd=="), expected, "{text}");
    }

    #[test]
    fn a_secret_is_hidden_wherever_it_stands_and_however_it_is_encoded() {
        for (text, expected) in [
            ("a+b/cd==", "[hidden]"),
            ("a+b/cd", "[hidden]"),
            ("é/a+b/cd==/é", "é/[hidden]/é"),
            ("aa+b/cda+b/cd=a+b/c", "a[hidden][hidden]a+b/c"),
            ("a%2Bb%2Fcd%3D%3D.", "[hidden]."),
            ("%61+b%2fcd=%3d%", "[hidden]%"),
            ("a%252Bb%25252Fcd%253D", "[hidden]"),
        ] {
            assert_shown(text, expected);
        }
    }

    #[test]
    fn anything_else_is_shown_as_it_is() {
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
                matches!(hide(text.into(), "a+b/cd=="), Cow::Borrowed(shown) if shown == text),
                "{text}"
            );
            assert_eq!(hide(text.into(), "=="), text);
            assert_eq!(hide(text.into(), ""), text);
        }
    }
}
