//! The failure of a try, on its way through the retry policy to the caller.

use azure_core::{Error, Result, http::RawResponse};
use std::fmt;

/// How a try failed.
#[derive(Debug)]
pub(super) enum TryFailure {
    /// It raised an error.
    Failed(Error),
    /// It was answered by a failure that the call ends with, although a retry policy would go on.
    Final(RawResponse),
}

impl TryFailure {
    /// Takes the failure out of an error, and leaves the retry policy's text behind, which would hide it.
    ///
    /// An error that holds no such failure, as one of a policy that runs once per call, is given back as it is.
    pub(super) fn take(mut error: Error) -> Result<Self> {
        if !holds_failure(&error) {
            return Err(error);
        }
        loop {
            match error.into_downcast() {
                Ok(failure) => return Ok(failure),
                Err(wrapper) => error = wrapper.into_downcast()?,
            }
        }
    }
}

/// Whether there is a [`TryFailure`] in an error, or in the errors of azure_core that it wraps.
fn holds_failure(mut error: &Error) -> bool {
    loop {
        if error.downcast_ref::<TryFailure>().is_some() {
            return true;
        }
        match error.downcast_ref() {
            Some(inner) => error = inner,
            None => return false,
        }
    }
}

impl fmt::Display for TryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Final(response) => write!(f, "status {}", response.status()),
        }
    }
}

impl std::error::Error for TryFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Final(_) => None,
        }
    }
}
