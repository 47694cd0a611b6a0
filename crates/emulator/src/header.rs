//! Header values as text.

use http::{HeaderMap, header::AsHeaderName};

/// The value of a header; `None` if it is missing or not text.
pub(crate) fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}
