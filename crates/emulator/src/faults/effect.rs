//! What a fault does to a request, checked.

use crate::faults::{
    Fault, InvalidFault,
    fault::EffectName::{self, HtmlBody, Latency, ResetAfterCommit, ResetBeforeCommit, Status, TruncatedBody},
};
use http::StatusCode;
use std::{ops::RangeInclusive, time::Duration};

/// Statuses that tell of a failure.
const STATUSES: RangeInclusive<u16> = 400..=599;
/// The longest latency, in milliseconds. Nothing waits without a bound.
const MAX_LATENCY: u64 = 10 * 60 * 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Status {
        status: StatusCode,
        /// In seconds.
        retry_after: Option<u32>,
    },
    Latency(Duration),
    ResetBeforeCommit,
    ResetAfterCommit,
    TruncatedBody,
    HtmlBody,
}

impl TryFrom<&Fault> for Effect {
    type Error = InvalidFault;

    fn try_from(fault: &Fault) -> Result<Self, InvalidFault> {
        refuse_what_does_not_belong(fault)?;
        Ok(match fault.effect {
            Status => Self::Status {
                status: status(fault.status)?,
                retry_after: fault.retry_after_seconds,
            },
            Latency => Self::Latency(latency(fault.milliseconds)?),
            ResetBeforeCommit => Self::ResetBeforeCommit,
            ResetAfterCommit => Self::ResetAfterCommit,
            TruncatedBody => Self::TruncatedBody,
            HtmlBody => Self::HtmlBody,
        })
    }
}

/// A value that no effect uses would be a fault that does less than it says.
fn refuse_what_does_not_belong(fault: &Fault) -> Result<(), InvalidFault> {
    let is_not = |effect: EffectName| fault.effect != effect;
    let message = if fault.status.is_some() && is_not(Status) {
        "a status goes with the effect status only: leave it out, or inject a second fault"
    } else if fault.retry_after_seconds.is_some() && is_not(Status) {
        "Retry-After goes with the effect status only: leave it out, or inject a status"
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

fn latency(milliseconds: Option<u64>) -> Result<Duration, InvalidFault> {
    match milliseconds {
        Some(milliseconds @ 1..=MAX_LATENCY) => Ok(Duration::from_millis(milliseconds)),
        _ => Err(InvalidFault::new(
            "a latency takes 1 to 600000 milliseconds, which are 10 minutes: give one in between",
        )),
    }
}
