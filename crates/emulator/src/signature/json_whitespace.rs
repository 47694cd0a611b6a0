//! JSON text with other white space, as another serializer would have written it.

use serde::de::IgnoredAny;

/// The text without white space between its tokens, and with one space after each comma and colon as Python's `json`
/// writes it; `None` if it is not JSON.
pub(super) fn other_forms(json: &str) -> Option<[String; 2]> {
    serde_json::from_str::<IgnoredAny>(json).ok()?;
    Some([rewrite(json, ""), rewrite(json, " ")])
}

/// The text with only `space` between its tokens, after commas and colons.
fn rewrite(json: &str, space: &str) -> String {
    let mut written = String::with_capacity(json.len() * 2);
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            written.push(c);
        } else if !c.is_ascii_whitespace() {
            in_string = c == '"';
            written.push(c);
            if matches!(c, ',' | ':') {
                written.push_str(space);
            }
        }
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_white_space_between_tokens_changes() {
        let json = "{ \"a \\\" : ,\" :[1,\n2 ],\"b\\\\\":\"\\u0020, é\" }\n";
        assert_eq!(
            other_forms(json).unwrap(),
            [
                r#"{"a \" : ,":[1,2],"b\\":"\u0020, é"}"#,
                r#"{"a \" : ,": [1, 2], "b\\": "\u0020, é"}"#,
            ]
        );
    }

    #[test]
    fn what_is_not_json_has_no_other_form() {
        for bad in ["", "{", "{}{}", "a b"] {
            assert_eq!(other_forms(bad), None, "{bad}");
        }
    }
}
