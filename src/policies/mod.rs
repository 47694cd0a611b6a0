//! Pipeline policies for what a try comes to.

mod call;
mod exchange;
mod outcome;
mod try_failure;

pub(crate) use call::{Call, Repetition};
pub(crate) use exchange::{ExchangePolicy, OverlongBody, buffered};
pub(crate) use outcome::OutcomePolicy;
pub(crate) use try_failure::TryFailure;

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
