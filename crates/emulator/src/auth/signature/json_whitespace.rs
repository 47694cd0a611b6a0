//! JSON text with other white space, as another serializer would have written it.

use serde::de::IgnoredAny;

/// The most levels that are indented, so that a body of nothing but brackets does not grow without bounds.
const MAX_INDENTED: usize = 32;

/// The white space of a serializer.
#[derive(Clone, Copy)]
enum Form {
    /// No white space.
    Compact,
    /// One space after each comma and colon, as Python's `json` does.
    Spaced,
    /// A line for each member and element, indented by so many spaces, and one space after each colon.
    Indented(usize),
}

/// The text in each form; `None` if it is not JSON.
pub(super) fn other_forms(json: &str) -> Option<[String; 4]> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    let forms = [Form::Compact, Form::Spaced, Form::Indented(2), Form::Indented(4)];
    Some(forms.map(|form| rewrite(json, form)))
}

/// The text with only the white space of `form` between its tokens.
fn rewrite(json: &str, form: Form) -> String {
    let mut written = String::with_capacity(json.len() * 2);
    let (mut in_string, mut escaped, mut depth) = (false, false, 0_usize);
    let mut last = None;
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if c.is_ascii_whitespace() {
            continue;
        } else {
            in_string = c == '"';
            let closes = matches!(c, '}' | ']');
            depth = depth.saturating_sub(closes.into());
            written += &space(form, last, closes, depth);
            depth += usize::from(matches!(c, '{' | '['));
        }
        written.push(c);
        last = Some(c);
    }
    written
}

/// The white space between `last` and the next token, which closes a bracket or not. Empty brackets stay together.
fn space(form: Form, last: Option<char>, closes: bool, depth: usize) -> String {
    let begins_line = match last {
        Some('{' | '[') => !closes,
        Some(',') => true,
        _ => closes,
    };
    match (form, last) {
        (Form::Indented(indent), _) if begins_line => {
            format!("\n{}", " ".repeat(indent * depth.min(MAX_INDENTED)))
        }
        (Form::Spaced, Some(',' | ':')) | (Form::Indented(_), Some(':')) => " ".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_space_between_tokens_changes() {
        let json = "{ \"a \\\" : ,\" :[1,\n2 ],\"b\\\\\":\"\\u0020, é\" }\n";
        assert_eq!(
            other_forms(json).unwrap()[..2],
            [
                r#"{"a \" : ,":[1,2],"b\\":"\u0020, é"}"#,
                r#"{"a \" : ,": [1, 2], "b\\": "\u0020, é"}"#,
            ]
        );
    }

    /// As Node.js and Python write it.
    #[test]
    fn members_and_elements_are_indented() {
        let json = r#"{"a \" : {,": [1,2,[ ],{ }],"b\\":{"c":"]"},"d":[{"e":null}]}"#;
        let indented = r#"{
  "a \" : {,": [
    1,
    2,
    [],
    {}
  ],
  "b\\": {
    "c": "]"
  },
  "d": [
    {
      "e": null
    }
  ]
}"#;
        let [_, _, by_two, by_four] = other_forms(json).unwrap();
        assert_eq!(by_two, indented);
        assert_eq!(by_four, indented.replace("  ", "    "));
        assert_eq!(other_forms(indented), other_forms(json));
    }

    #[test]
    fn nested_brackets_grow_within_bounds() {
        let json = format!("{}{}", "[".repeat(32_000), "]".repeat(32_000));
        let [.., by_four] = other_forms(&json).unwrap();
        assert!(by_four.len() < 10_000_000, "{}", by_four.len());
    }

    #[test]
    fn other_text_has_no_form() {
        for bad in ["", "{", "{}{}", "a b"] {
            assert_eq!(other_forms(bad), None, "{bad}");
        }
    }
}
