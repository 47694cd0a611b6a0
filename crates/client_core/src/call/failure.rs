//! The failure of an attempt, on its way through the retry policy to the caller.

use crate::error::chain;
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{RawResponse, Request},
};
use std::fmt;
use url::Position;

/// Adds to a transport's error which request failed and why: the reason stands only in the error's sources. The URL is left
/// out, because its path and query can hold IDs and names.
pub(super) fn described(error: Error, request: &Request) -> Error {
    if !matches!(error.kind(), ErrorKind::Connection | ErrorKind::Io) {
        return error;
    }
    let url = request.url().as_str();
    let for_url = format!(" for url ({url})");
    let reasons: Vec<_> = chain(&error)
        .map(|cause| cause.to_string().replace(&for_url, "").replace(url, "the endpoint"))
        .collect();
    error.with_context(format!("{} failed: {}", name(request), reasons.join(": ")))
}

/// Returns the name of a request in errors.
pub(super) fn name(request: &Request) -> String {
    let host = &request.url()[Position::BeforeHost..Position::AfterPort];
    format!("{} request to {host}", request.method())
}

/// The failure of an attempt, on its way through the retry policy to the caller.
#[derive(Debug)]
pub(super) enum AttemptFailure {
    /// With an error.
    Failed(Error),
    /// With a response that ends the call, although a retry policy would go on.
    Final(RawResponse),
}

/// The texts that azure_core's retry policy puts around an error that it does not retry.
const RETRY_TEXTS: [&str; 2] = [
    "non-transport error occurred which will not be retried",
    "retry policy expired and the request will no longer be retried",
];

impl AttemptFailure {
    /// Takes the failure out of an error, and with it the texts that policies of the caller have put around it, the
    /// outermost first. The retry policy's own text, which would hide the failure, is left out.
    ///
    /// # Errors
    ///
    /// The error itself if it holds no such failure, as that of a policy that runs once per call.
    pub(super) fn take(mut error: Error) -> Result<(Self, Vec<String>)> {
        if !holds_failure(&error) {
            return Err(error);
        }
        let mut contexts = Vec::new();
        loop {
            match error.into_downcast() {
                Ok(failure) => return Ok((failure, contexts)),
                Err(wrapper) => {
                    let context = wrapper.to_string();
                    if !RETRY_TEXTS.contains(&context.as_str()) {
                        contexts.push(context);
                    }
                    error = wrapper.into_downcast()?;
                }
            }
        }
    }
}

/// Returns whether there is an [`AttemptFailure`] in an error, or in the errors of azure_core that it wraps.
fn holds_failure(mut error: &Error) -> bool {
    loop {
        if error.downcast_ref::<AttemptFailure>().is_some() {
            return true;
        }
        match error.downcast_ref() {
            Some(inner) => error = inner,
            None => return false,
        }
    }
}

impl fmt::Display for AttemptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Final(response) => write!(f, "status {}", response.status()),
        }
    }
}

impl std::error::Error for AttemptFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Final(_) => None,
        }
    }
}
