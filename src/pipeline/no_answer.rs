//! What is said of a call that got no answer.

use azure_core::{Error, error::ErrorKind, http::Request, time::Duration};
use std::{error::Error as _, io};

/// Says which request a transport failed on, and why: the reason stands only in the sources of its error.
pub(super) fn described(error: Error, request: &Request) -> Error {
    if !matches!(error.kind(), ErrorKind::Connection | ErrorKind::Io) {
        return error;
    }
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    error.with_context(format!("{} failed: {reason}", name(request)))
}

/// The error that a call ends with when its time is over.
pub(super) fn timed_out(timeout: Duration, request: &Request, last_failure: &str) -> Error {
    let mut text = format!(
        "{} was given up after {timeout}, the most that the option `timeout` allows",
        name(request)
    );
    if !last_failure.is_empty() {
        text = format!("{text}; its last try failed: {last_failure}");
    }
    Error::with_error(ErrorKind::Io, io::Error::from(io::ErrorKind::TimedOut), text)
}

/// What errors call a request, without the ids in its path.
fn name(request: &Request) -> String {
    let host = request.url().host_str().unwrap_or_default();
    format!("{} request to {host}", request.method())
}
