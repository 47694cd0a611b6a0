//! JSON objects.

use serde::de::DeserializeOwned;

/// Reads an object. On its own, serde also reads a struct from an array, by position.
#[must_use]
pub fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    if !json.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Point {
        x: u8,
    }

    #[test]
    fn only_an_object_is_one() {
        assert_eq!(object(b" {\"x\":1}"), Some(Point { x: 1 }));
        for json in [&b"[1]"[..], b"1", b"null", b"", b"{\"x\":1", b"{\"x\":\"1\"}"] {
            assert_eq!(object::<Point>(json), None);
        }
    }
}
