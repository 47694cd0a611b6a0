//! Unverified texts in logs and errors: quoted, escaped into one line, and of bounded length.

/// The longest part of a text that is shown, in characters.
const MAX_CHARS: usize = 128;

/// The largest number of texts of a list that are shown.
const MAX_TEXTS: usize = 8;

/// Quotes the beginning of a text. Control characters and quotes are escaped.
pub(crate) fn bounded(text: &str) -> String {
    match text.char_indices().nth(MAX_CHARS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
    }
}

/// Quotes the first of some texts.
pub(crate) fn bounded_list<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let mut texts = texts.into_iter();
    let mut shown: Vec<_> = texts.by_ref().take(MAX_TEXTS).map(bounded).collect();
    if texts.next().is_some() {
        shown.push("…".to_owned());
    }
    match shown.as_slice() {
        [] => "none".to_owned(),
        _ => shown.join(" or "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn list_ends_after_eight_texts() {
        let texts = |number: usize| bounded_list(vec!["a"; number]);
        assert_eq!(texts(0), "none");
        assert_eq!(texts(1), "\"a\"");
        assert_eq!(texts(2), "\"a\" or \"a\"");
        assert_eq!(texts(8).matches("\"a\"").count(), 8);
        assert!(!texts(8).contains('…'));
        assert_eq!(texts(1000), format!("{} or …", texts(8)));
    }

    proptest! {
        #[test]
        fn text_is_one_short_line(text in any::<String>(), length in 0_usize..300) {
            let text = text.repeat(length);
            let shown = bounded(&text);
            // An escape has at most ten characters, such as \u{10ffff}.
            prop_assert!(shown.chars().count() <= 10 * MAX_CHARS + 3);
            prop_assert!(!shown.chars().any(char::is_control));
            let inner = shown.trim_end_matches('…');
            prop_assert!(inner.starts_with('"') && inner.ends_with('"'));
            prop_assert!(!inner[1..inner.len() - 1].replace(r"\\", "").replace("\\\"", "").contains('"'));
        }
    }
}
