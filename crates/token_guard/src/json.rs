//! JSON that has to be an object.

use serde::de::DeserializeOwned;

/// Reads an object. serde would take an array for a struct too, member by member.
pub(crate) fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    if !json.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    serde_json::from_slice(json).ok()
}
