//! Reading JSON without repeating what it holds.
//!
//! serde's own errors quote the value that they could not place, and that value may be a token or a person's mail.

use azure_core::{Error, Result, error::ErrorKind};
use serde::de::DeserializeOwned;
use serde_json::error::Category;

/// Reads a document. `what` says in the error what it is, such as `the sidecar's answer`.
pub(crate) fn decode<T: DeserializeOwned>(document: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(document).map_err(|error| {
        let fault = match error.classify() {
            Category::Data => "has a missing or unexpected value",
            Category::Eof => "ends too early",
            Category::Syntax | Category::Io => "is not JSON",
        };
        let (line, column) = (error.line(), error.column());
        Error::with_message(
            ErrorKind::DataConversion,
            format!("{what} {fault}, at line {line}, column {column}"),
        )
    })
}
