//! The documented consequences of faults, by README and rustdoc.

use crate::{recorder::ATTEMPTS, support::operation::Operation};
use azure_communication_identity::{CommunicationError, creation_outcome_unknown};
use azure_core::{Error, error::ErrorKind};

/// The documented consequence of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The call succeeds as if there were no fault.
    Harmless,
    /// No connection was established, so nothing was sent: every call is retried.
    NotSent,
    /// The service did not execute the request because it is busy (429, and 503 with its own error): every call is retried.
    Busy(u16),
    /// The same, and it asks for a longer wait than `max_retry_after`: the call ends with this response.
    BusyTooLong(u16),
    /// A failure that azure_core retries (408, 500, 502, 504, and a gateway's 503). The request may have been executed.
    Transient(u16),
    /// A failure that is not retried. The request may have been executed.
    Permanent(u16),
    /// The request was refused, or redirected.
    Refused(u16),
    /// A success with another status than the documented one.
    Undocumented(u16),
    /// The request was sent, and no whole response arrived.
    Interrupted,
    /// A success with a body longer than a mebibyte.
    Overlong,
    /// A success without the documented body. An operation without a body gets it with the status 200.
    Unreadable,
}

/// The outcome of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) attempts: usize,
    pub(crate) failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// The result of `creation_outcome_unknown`.
    pub(crate) outcome_unknown: bool,
}

/// The kinds of README's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    HttpResponse(u16),
    Connection,
    Io,
    DataConversion,
    Credential,
    Other,
}

impl Rule {
    /// Returns the kind of the error, whether azure_core retries it, and whether the request may have been executed; `None`
    /// if there is no error.
    fn error(self, operation: Operation) -> Option<(Kind, bool, bool)> {
        Some(match self {
            Self::Harmless => return None,
            Self::NotSent => (Kind::Connection, true, false),
            Self::Busy(status) => (Kind::HttpResponse(status), true, false),
            Self::BusyTooLong(status) | Self::Refused(status) => (Kind::HttpResponse(status), false, false),
            Self::Transient(status) => (Kind::HttpResponse(status), true, true),
            Self::Permanent(status) | Self::Undocumented(status) => (Kind::HttpResponse(status), false, true),
            Self::Interrupted => (Kind::Io, true, true),
            Self::Overlong => (Kind::DataConversion, false, true),
            // The user was created: an error of `into_model` is different.
            Self::Unreadable if operation.has_result() => (Kind::DataConversion, false, false),
            Self::Unreadable => (Kind::HttpResponse(200), false, false),
        })
    }
}

impl Outcome {
    /// Returns the documented outcome of a call whose attempts have these rules.
    pub(crate) fn documented(
        rules: impl Iterator<Item = Rule>,
        operation: Operation,
        retry_uncertain_creation: bool,
    ) -> Self {
        let mut may_exist = false;
        for (attempt, rule) in (1..).zip(rules) {
            let Some((kind, is_retried, may_be_executed)) = rule.error(operation) else {
                return Self {
                    attempts: attempt,
                    failure: None,
                };
            };
            may_exist |= may_be_executed && operation.creates_user();
            let must_end = may_exist && !retry_uncertain_creation;
            if !is_retried || must_end || attempt == ATTEMPTS {
                return Self {
                    attempts: attempt,
                    failure: Some(Failure {
                        kind,
                        outcome_unknown: may_exist,
                    }),
                };
            }
        }
        unreachable!("there is a rule for each attempt")
    }

    /// Returns the outcome of a call with this result.
    pub(crate) fn of<T>(attempts: usize, result: &azure_core::Result<T>) -> Self {
        Self {
            attempts,
            failure: result.as_ref().err().map(Failure::of),
        }
    }
}

impl Failure {
    /// Returns the failure that an error reports.
    pub(crate) fn of(error: &Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::HttpResponse { status, .. } => {
                let found = CommunicationError::from_error(error).unwrap();
                assert_eq!((found.status, error.http_status()), (*status, Some(*status)));
                Kind::HttpResponse((*status).into())
            }
            ErrorKind::Connection => Kind::Connection,
            ErrorKind::Io => Kind::Io,
            ErrorKind::DataConversion => Kind::DataConversion,
            ErrorKind::Credential => Kind::Credential,
            ErrorKind::Other => Kind::Other,
        };
        if !matches!(kind, Kind::HttpResponse(_)) {
            assert!(CommunicationError::from_error(error).is_none(), "{error}");
        }
        Self {
            kind,
            outcome_unknown: creation_outcome_unknown(error),
        }
    }
}
