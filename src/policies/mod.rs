//! Pipeline policies for what comes back from a try.

mod outcome;
mod response_body;

pub(crate) use outcome::{Creation, OutcomePolicy, TryFailure, may_have_been_executed};
pub(crate) use response_body::{OverlongBody, ResponseBodyPolicy, buffered};

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
