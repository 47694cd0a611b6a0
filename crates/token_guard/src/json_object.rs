//! JSON objects with values that cannot be read.

use client_core::json;
use serde_json::{Map, Value, value::RawValue};
use std::collections::BTreeMap;

/// Reads an object, each member alone: a value that cannot be read hides no other. Such a value is an empty object, which is
/// present, and no text, number or list.
///
/// These values are half of a surrogate pair in a text, a number beyond those of floating point, and nesting beyond 128.
pub(crate) fn members(json: &[u8]) -> Option<Map<String, Value>> {
    let members: BTreeMap<String, Box<RawValue>> = json::object(json)?;
    let members = members.into_iter().map(|(name, value)| (name, readable(&value)));
    Some(members.collect())
}

fn readable(value: &RawValue) -> Value {
    serde_json::from_str(value.get()).unwrap_or_else(|_| Value::Object(Map::new()))
}

/// Reads a value, and each member alone if it is an object.
pub(crate) fn value(json: &RawValue) -> Value {
    members(json.get().as_bytes()).map_or_else(|| readable(json), Value::Object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn unreadable_member_hides_no_other() {
        let deep = format!("{}{}", "[".repeat(1_000), "]".repeat(1_000));
        for unreadable in [r#""\ud83d""#, r#"["\ud83d"]"#, "1e400", deep.as_str()] {
            let object = format!(r#"{{"a": 1, "b": {unreadable}, "c": null}}"#);
            assert_eq!(
                Value::from(members(object.as_bytes()).unwrap()),
                json!({"a": 1, "b": {}, "c": null}),
                "{unreadable}"
            );
            let raw: Box<RawValue> = serde_json::from_str(unreadable).unwrap();
            assert_eq!(value(&raw), json!({}), "{unreadable}");
        }
        for json in ["[]", "7", "", "{", r#"{"a": }"#, r#"{"a": 1} b"#, "{\"a\": \"\u{1}\"}"] {
            assert_eq!(members(json.as_bytes()), None, "{json}");
        }
        assert_eq!(members(b"{\"a\": \"\xff\"}"), None);
        assert_eq!(Value::from(members(br#"{"a": 1, "a": 2}"#).unwrap()), json!({"a": 2}));
    }

    proptest! {
        #[test]
        fn readable_object_is_unchanged(object in prop::collection::btree_map(any::<String>(), any::<Option<String>>(), 0..6)) {
            let object = json!({"nested": object, "list": [object]});
            prop_assert_eq!(Value::from(members(object.to_string().as_bytes()).unwrap()), object);
        }
    }
}
