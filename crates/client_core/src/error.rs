//! Errors of azure_core: their sources, and refused arguments.

use azure_core::{Error, error::ErrorKind};
use std::borrow::Cow;

/// Finds an error of a type in an error and its sources.
#[must_use]
pub fn find<T: std::error::Error + 'static>(error: &Error) -> Option<&T> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// Creates the error of an argument that is refused before anything is sent. The text says what to pass instead, and never
/// what was passed.
#[must_use]
pub fn invalid_argument(text: impl Into<Cow<'static, str>>) -> Error {
    Error::with_message(ErrorKind::Other, text)
}
