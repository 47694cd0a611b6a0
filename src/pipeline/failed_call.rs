//! The error of a call that failed.

use crate::{
    auth::CredentialKind,
    error::{CommunicationError, Failure, OutcomeUnknown, header},
    policies::AttemptFailure,
};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        RawResponse, Request,
        headers::{CLIENT_REQUEST_ID, MS_DATE},
    },
    time::Duration,
};
use std::io;

/// The circumstances of a call that failed.
pub(super) struct FailedCall<'a> {
    pub(super) request: &'a Request,
    pub(super) credential: CredentialKind,
    /// The text about a user who may have been created all the same.
    pub(super) outcome_unknown: Option<&'static str>,
}

impl FailedCall<'_> {
    /// Turns a response that is no success into an error.
    pub(super) fn answered(&self, response: RawResponse) -> Error {
        CommunicationError::from_response(
            response,
            &Failure {
                credential: self.credential,
                client_request_id: header(self.request.headers(), &CLIENT_REQUEST_ID),
                signed_date: header(self.request.headers(), &MS_DATE),
                outcome_unknown: self.outcome_unknown,
            },
        )
    }

    /// Restores the error that the pipeline raised, as it was before the retry policy hid it.
    pub(super) fn raised(&self, error: Error) -> Error {
        let (failure, contexts) = match AttemptFailure::take(error) {
            Ok(taken) => taken,
            Err(error) => return error,
        };
        let error = match failure {
            AttemptFailure::Failed(error) => self.unanswered(described(error, self.request)),
            AttemptFailure::Final(response) => self.answered(response),
        };
        contexts.into_iter().rev().fold(error, Error::with_context)
    }

    /// Adds to an error without a response that a user may exist all the same.
    pub(super) fn unanswered(&self, error: Error) -> Error {
        match self.outcome_unknown {
            Some(text) => OutcomeUnknown::wrap(error, text),
            None => error,
        }
    }
}

/// Adds to a transport's error which request failed and why: the reason stands only in the error's sources. The URL is left
/// out, because ids of users stand in its path.
fn described(error: Error, request: &Request) -> Error {
    if !matches!(error.kind(), ErrorKind::Connection | ErrorKind::Io) {
        return error;
    }
    let url = request.url().as_str();
    let mut reasons = Vec::new();
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(cause) = next {
        let reason = cause.to_string().replace(&format!(" for url ({url})"), "");
        reasons.push(reason.replace(url, "the endpoint"));
        next = cause.source();
    }
    error.with_context(format!("{} failed: {}", name(request), reasons.join(": ")))
}

/// The error of a call whose time is over. `reason` may be empty.
pub(super) fn timed_out(timeout: Duration, request: &Request, reason: &str) -> Error {
    let mut text = format!(
        "{} was given up after {timeout}, the most that the option `timeout` allows",
        name(request)
    );
    if !reason.is_empty() {
        text = format!("{text}: {reason}");
    }
    Error::with_error(ErrorKind::Io, io::Error::from(io::ErrorKind::TimedOut), text)
}

/// The name of a request in errors, without the ids in its path.
fn name(request: &Request) -> String {
    let host = request.url().host_str().unwrap_or_default();
    format!("{} request to {host}", request.method())
}
