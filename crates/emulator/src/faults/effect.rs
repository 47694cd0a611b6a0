//! The effects of faults, with their values checked.

use crate::faults::{
    Fault, InvalidFault,
    fault::EffectName::{self, HtmlBody, Latency, ResetAfterCommit, ResetBeforeCommit, Status, TruncatedBody},
};
use http::StatusCode;
use std::{ops::RangeInclusive, time::Duration};

/// Statuses of a failure.
const STATUSES: RangeInclusive<u16> = 400..=599;
/// The longest latency, in milliseconds, as nothing waits without a bound.
const MAX_LATENCY: u64 = 10 * 60 * 1000;
/// The most characters of a code.
const MAX_CODE: usize = 100;

/// The effect of a fault on a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Response {
        response: InjectedResponse,
        /// True if the operation runs first.
        after_commit: bool,
    },
    Latency(Duration),
    ResetBeforeCommit,
    ResetAfterCommit,
    TruncatedBody,
}

/// A response in place of the operation's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InjectedResponse {
    pub(crate) status: StatusCode,
    /// In seconds.
    pub(crate) retry_after: Option<u32>,
    pub(crate) body: InjectedBody,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum InjectedBody {
    /// An error of the service's form, with this code or the status's own.
    Error { code: Option<String> },
    /// The page of a gateway in front of the service.
    Page,
}

impl TryFrom<&Fault> for Effect {
    type Error = InvalidFault;

    fn try_from(fault: &Fault) -> Result<Self, InvalidFault> {
        refuse_unused_values(fault)?;
        let response = |status, body| Self::Response {
            response: InjectedResponse {
                status,
                retry_after: fault.retry_after_seconds,
                body,
            },
            after_commit: fault.after_commit,
        };
        Ok(match fault.effect {
            Status => {
                let code = fault.code.as_deref().map(code).transpose()?;
                // The service itself responds to an operation that it has run; a failure after that is a gateway's.
                let is_page = fault.after_commit && code.is_none();
                let body = if is_page {
                    InjectedBody::Page
                } else {
                    InjectedBody::Error { code }
                };
                response(status(fault.status)?, body)
            }
            HtmlBody => {
                let default = StatusCode::BAD_GATEWAY.as_u16();
                response(status(fault.status.or(Some(default)))?, InjectedBody::Page)
            }
            Latency => Self::Latency(latency(fault.milliseconds)?),
            ResetBeforeCommit => Self::ResetBeforeCommit,
            ResetAfterCommit => Self::ResetAfterCommit,
            TruncatedBody => Self::TruncatedBody,
        })
    }
}

/// Refuses a value that the effect does not use, as the fault would do less than it says.
fn refuse_unused_values(fault: &Fault) -> Result<(), InvalidFault> {
    let is_not = |effect: EffectName| fault.effect != effect;
    let sends_no_response = is_not(Status) && is_not(HtmlBody);
    let message = if fault.status.is_some() && sends_no_response {
        "a status goes with the effects status and HTML body only: leave it out, or inject a second fault"
    } else if fault.retry_after_seconds.is_some() && sends_no_response {
        "Retry-After goes with the effects status and HTML body only: leave it out, or inject one of these"
    } else if fault.after_commit && is_not(Status) {
        "after-commit goes with the effect status only: leave it out, or inject a status"
    } else if fault.code.is_some() && is_not(Status) {
        "a code goes with the effect status only: leave it out, or inject a status"
    } else if fault.milliseconds.is_some() && is_not(Latency) {
        "milliseconds go with the effect latency only: leave them out, or inject a second fault"
    } else {
        return Ok(());
    };
    Err(InvalidFault::new(message))
}

fn status(status: Option<u16>) -> Result<StatusCode, InvalidFault> {
    let status = status.ok_or(InvalidFault::new("the status is missing: give one from 400 to 599"))?;
    let valid = STATUSES.contains(&status).then(|| StatusCode::from_u16(status).ok());
    let not_a_failure = || InvalidFault::new(format!("{status} is no status of a failure: give one from 400 to 599"));
    valid.flatten().ok_or_else(not_a_failure)
}

/// Checks a code, which must fit unchanged into the text of a fault, a line of the log and JSON.
fn code(code: &str) -> Result<String, InvalidFault> {
    let is_allowed = |c| matches!(c, ' '..='~') && !matches!(c, '"' | '\'' | ',');
    if (1..=MAX_CODE).contains(&code.len()) && code.chars().all(is_allowed) {
        return Ok(code.to_owned());
    }
    Err(InvalidFault::new(
        "a code has 1 to 100 printable ASCII characters, without quotes and commas: give such a code, or none",
    ))
}

fn latency(milliseconds: Option<u64>) -> Result<Duration, InvalidFault> {
    match milliseconds {
        Some(milliseconds @ 1..=MAX_LATENCY) => Ok(Duration::from_millis(milliseconds)),
        _ => Err(InvalidFault::new(
            "a latency takes 1 to 600000 milliseconds, which are 10 minutes: give one in between",
        )),
    }
}
