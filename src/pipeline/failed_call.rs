//! What a caller is told of a call that failed.

use crate::{
    error::{Authentication, CommunicationError, Failure, OutcomeUnknown, header},
    policies::TryFailure,
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
use std::{error::Error as _, io};

/// A call that failed, and what is known of it beside the failure.
pub(super) struct FailedCall<'a> {
    pub(super) request: &'a Request,
    pub(super) authentication: Authentication,
    /// What is to be said if a user may have been created all the same.
    pub(super) outcome_unknown: Option<&'static str>,
}

impl FailedCall<'_> {
    /// The error that a response with another status than success is.
    pub(super) fn answered(&self, response: RawResponse) -> Error {
        CommunicationError::from_response(
            response,
            &Failure {
                authentication: self.authentication,
                client_request_id: header(self.request.headers(), &CLIENT_REQUEST_ID),
                signed_date: header(self.request.headers(), &MS_DATE),
                outcome_unknown: self.outcome_unknown,
            },
        )
    }

    /// The error that the pipeline raised, as it was before the retry policy hid it.
    pub(super) fn raised(&self, error: Error) -> Error {
        let (failure, contexts) = match TryFailure::take(error) {
            Ok(taken) => taken,
            Err(error) => return error,
        };
        let error = match failure {
            TryFailure::Failed(error) => self.unanswered(described(error, self.request)),
            TryFailure::Final(response) => self.answered(response),
        };
        contexts.into_iter().rev().fold(error, Error::with_context)
    }

    /// An error without an answer, which says if a user may exist all the same.
    pub(super) fn unanswered(&self, error: Error) -> Error {
        match self.outcome_unknown {
            Some(text) => OutcomeUnknown::wrap(error, text),
            None => error,
        }
    }
}

/// Says which request a transport failed on, and why: the reason stands only in the sources of its error.
fn described(error: Error, request: &Request) -> Error {
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

/// The error that a call ends with when its time is over. `why` may be empty.
pub(super) fn timed_out(timeout: Duration, request: &Request, why: &str) -> Error {
    let mut text = format!(
        "{} was given up after {timeout}, the most that the option `timeout` allows",
        name(request)
    );
    if !why.is_empty() {
        text = format!("{text}: {why}");
    }
    Error::with_error(ErrorKind::Io, io::Error::from(io::ErrorKind::TimedOut), text)
}

/// What errors call a request, without the ids in its path.
fn name(request: &Request) -> String {
    let host = request.url().host_str().unwrap_or_default();
    format!("{} request to {host}", request.method())
}
