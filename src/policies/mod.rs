//! Pipeline policies of an attempt.

mod attempt_failure;
mod call;
mod outcome;
mod send;

pub(crate) use attempt_failure::AttemptFailure;
pub(crate) use call::{Call, Idempotency};
pub(crate) use outcome::OutcomePolicy;
pub(crate) use send::{SendPolicy, buffered, into_stream};

use azure_core::{Error, Result, error::ErrorKind, http::policies::Policy};
use std::sync::Arc;

/// The policy that follows, and those that follow it.
pub(crate) type Next<'a> = (&'a Arc<dyn Policy>, &'a [Arc<dyn Policy>]);

/// Splits off the policy that follows. Only the transport has none.
pub(crate) fn next_policy(policies: &[Arc<dyn Policy>]) -> Result<Next<'_>> {
    policies
        .split_first()
        .ok_or_else(|| Error::with_message(ErrorKind::Other, "the pipeline has no transport"))
}
