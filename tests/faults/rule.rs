//! What README and rustdoc promise of a fault, as a table of its own.

use crate::{support::operation::Operation, wiretap::ATTEMPTS};
use azure_communication_identity::{CommunicationError, creation_outcome_unknown};
use azure_core::{Error, error::ErrorKind};

/// How a fault is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The call succeeds as if there were no fault.
    Harmless,
    /// No connection was established, so nothing was sent: any call is tried again.
    NotSent,
    /// The service was too busy for the request (429, and 503 with its own error): any call is retried.
    TurnedAway(u16),
    /// It was, and asks for a longer wait than `max_retry_after`: the call ends with its answer.
    TurnedAwayForLong(u16),
    /// A failure that azure_core retries (408, 500, 502, 504, and a gateway's 503), and that leaves open whether the request
    /// was executed.
    Failed(u16),
    /// One that is not retried.
    FailedForGood(u16),
    /// The request was refused, or redirected.
    Refused(u16),
    /// A success of another status than the documented one.
    Undocumented(u16),
    /// The request was sent, and no whole answer came back.
    Interrupted,
    /// A success whose body is longer than a mebibyte.
    Overlong,
    /// A success whose body is not what is documented. Where no body is, it comes with the status 200.
    Unreadable,
}

/// How many of the tries meet the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Times {
    Once,
    Always,
}

/// What a call comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) tries: usize,
    pub(crate) failure: Option<Failure>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    /// Whether `creation_outcome_unknown` is to say so.
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
    /// What README and rustdoc say that a call comes to.
    pub(crate) fn outcome(self, operation: Operation, retry_uncertain_creation: bool, times: Times) -> Outcome {
        let repeatable = !operation.creates_user() || retry_uncertain_creation;
        let (kind, retried, uncertain) = match self {
            Self::Harmless => {
                return Outcome {
                    tries: 1,
                    failure: None,
                };
            }
            Self::NotSent => (Kind::Connection, true, false),
            Self::TurnedAway(status) => (Kind::HttpResponse(status), true, false),
            Self::TurnedAwayForLong(status) | Self::Refused(status) => (Kind::HttpResponse(status), false, false),
            Self::Failed(status) => (Kind::HttpResponse(status), repeatable, true),
            Self::FailedForGood(status) | Self::Undocumented(status) => (Kind::HttpResponse(status), false, true),
            Self::Interrupted => (Kind::Io, repeatable, true),
            Self::Overlong => (Kind::DataConversion, false, true),
            // The user was created: an error of `into_model` is another matter.
            Self::Unreadable if operation.has_result() => (Kind::DataConversion, false, false),
            Self::Unreadable => (Kind::HttpResponse(200), false, false),
        };
        let failure = Failure {
            kind,
            outcome_unknown: uncertain && operation.creates_user(),
        };
        match (times, retried) {
            (_, false) => Outcome {
                tries: 1,
                failure: Some(failure),
            },
            (Times::Once, true) => Outcome {
                tries: 2,
                failure: None,
            },
            (Times::Always, true) => Outcome {
                tries: ATTEMPTS,
                failure: Some(failure),
            },
        }
    }
}

impl Failure {
    /// What an error says that it is.
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
