//! Errors: their sources, and refused arguments.

use std::{error::Error, iter};

/// Returns an error and its sources, the outermost first.
pub fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| error.source())
}

/// Finds an error of a type in an error and its sources.
#[cfg(feature = "azure")]
#[must_use]
pub fn find<T: Error + 'static>(error: &azure_core::Error) -> Option<&T> {
    chain(error).find_map(<dyn Error>::downcast_ref)
}

/// Creates the error of an argument that is refused before anything is sent. The text says what to pass instead, and never
/// what was passed.
#[cfg(feature = "azure")]
#[must_use]
pub fn invalid_argument(text: impl Into<std::borrow::Cow<'static, str>>) -> azure_core::Error {
    azure_core::Error::with_message(azure_core::error::ErrorKind::Other, text)
}
