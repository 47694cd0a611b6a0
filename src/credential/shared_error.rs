//! A failure that several callers share.

use azure_core::Error;
use std::{fmt, sync::Arc};

/// The result that several callers share.
pub(super) type SharedResult<T> = Result<T, SharedError>;

/// An error that several callers share. Each gets an error of the same kind and text, whose source is the original.
#[derive(Clone, Debug)]
pub(super) struct SharedError(Arc<Error>);

impl SharedError {
    pub(super) fn into_error(self) -> Error {
        Error::new(self.0.kind().clone(), self)
    }
}

impl From<Error> for SharedError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

impl AsRef<Error> for SharedError {
    fn as_ref(&self) -> &Error {
        &self.0
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}
