//! Parts of a request in a form that can be shown: on one line, of bounded length, without secrets.

use crate::{hidden::hide, signature::AccessKey};

/// The most characters of a header that are shown.
const MAX_HEADER: usize = 100;
/// The most characters of a path and query that are shown.
const MAX_TARGET: usize = 300;

/// The texts that are not shown wherever they stand.
pub(super) struct Secrets<'a> {
    keys: &'a [&'a AccessKey],
    signature: &'a str,
}

impl<'a> Secrets<'a> {
    /// The secrets of a resource with these keys, and of a request with this `Authorization`.
    pub(super) fn new(keys: &'a [&'a AccessKey], authorization: Option<&'a str>) -> Self {
        let (_, signature) = authorization
            .and_then(|text| text.split_once("Signature="))
            .unwrap_or_default();
        Self {
            keys,
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
        let keys = self.keys.iter().map(|key| key.as_base64());
        let text = keys.chain([self.signature]).fold(text.into(), hide);
        let mut line: String = text.chars().take(max).flat_map(char::escape_debug).collect();
        if text.chars().nth(max).is_some() {
            line.push_str("[cut]");
        }
        line
    }
}

/// Whether a parameter of a query is an api-version of the service's form: a date, and `-preview` or nothing.
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

    const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";

    #[track_caller]
    fn assert_shown(show: impl Fn(&Secrets<'_>) -> String, expected: &str) {
        let key = KEY.parse().unwrap();
        assert_eq!(
            show(&Secrets::new(
                &[&key, &"b3RoZXI=".parse().unwrap()],
                Some("HMAC-SHA256 Signature=c2lnbmVk")
            )),
            expected
        );
    }

    #[test]
    fn of_a_query_only_the_api_version_is_shown() {
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
            assert_shown(|secrets| secrets.target(target), expected);
        }
    }

    #[test]
    fn a_header_is_shown_on_one_line_and_cut() {
        assert_shown(|secrets| secrets.header(None), "[missing]");
        assert_shown(
            |secrets| secrets.header(Some("a\r\n\u{1b}[1m\u{2028}")),
            r"a\r\n\u{1b}[1m\u{2028}",
        );
        let cut = format!("{}[cut]", "é".repeat(100));
        assert_shown(|secrets| secrets.header(Some(&"é".repeat(101))), &cut);
        assert_shown(|secrets| secrets.header(Some(&"é".repeat(100))), &"é".repeat(100));
        let cut = format!("/{}[cut]", "a".repeat(299));
        assert_shown(|secrets| secrets.target(&format!("/{}", "a".repeat(300))), &cut);
    }

    #[test]
    fn a_string_to_sign_is_shown_on_one_line() {
        assert_shown(
            |secrets| secrets.string_to_sign(&format!("POST\n/a?b=c\ndate;{KEY};hash\n")),
            r"POST\n/a?[hidden]\ndate;[hidden];hash\n",
        );
    }

    #[test]
    fn a_secret_in_the_wrong_place_is_hidden() {
        assert_shown(|secrets| secrets.header(Some(&format!("a{KEY}b"))), "a[hidden]b");
        assert_shown(|secrets| secrets.header(Some("ab3RoZXI=b")), "a[hidden]b");
        assert_shown(|secrets| secrets.target("/c2lnbmVk/a"), "/[hidden]/a");
    }
}
