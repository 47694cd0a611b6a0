//! The attempts of a call: their state, and the policies around them.

use super::{
    body::{BodyLimit, buffered, into_stream},
    failure::{AttemptFailure, described},
};
use crate::{
    clock::Clock,
    error::chain,
    headers::{resolve_retry_after, retry_after},
};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        Context, RawResponse, Request, StatusCode,
        policies::{Policy, PolicyResult},
    },
    time::Duration,
};
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The effect of executing a call's request a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// A second execution has no effect: the request is retried after every transient failure.
    Idempotent,
    /// A second execution creates a second resource, which the caller accepts.
    Duplicating,
    /// A second execution creates a second resource, so the request must not be executed twice.
    AtMostOnce,
}

/// The state of a call, in the [`Context`] of its attempts.
#[derive(Debug)]
pub(super) struct Call {
    idempotency: Idempotency,
    /// The end of the call's timeout, by the client's monotonic clock.
    deadline: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The number of requests that the service may have executed. A policy of the caller can send several, even at once.
    possibly_executed: usize,
    last_failure: String,
}

impl Call {
    pub(super) fn new(idempotency: Idempotency, deadline: Option<Duration>) -> Self {
        Self {
            idempotency,
            deadline,
            state: Mutex::default(),
        }
    }

    /// Returns whether the service may have executed the request, by an attempt that has ended or by one that has not.
    pub(super) fn may_have_been_executed(&self) -> bool {
        self.state().possibly_executed > 0
    }

    /// Records that a request may be executed from now on.
    pub(super) fn sending(&self) {
        self.state().possibly_executed += 1;
    }

    /// Records that a request was not executed.
    pub(super) fn not_executed(&self) {
        let mut state = self.state();
        state.possibly_executed = state.possibly_executed.saturating_sub(1);
    }

    /// Returns the time that is left, by a monotonic clock.
    pub(super) fn time_left(&self, clock: &Clock) -> Option<Duration> {
        Some(self.deadline? - clock.elapsed())
    }

    /// Takes the failure of the last attempt; empty if none has failed.
    pub(super) fn take_last_failure(&self) -> String {
        mem::take(&mut self.state().last_failure)
    }

    fn attempt_failed(&self, reason: &str) {
        self.state().last_failure = format!("its last attempt failed: {reason}");
    }

    /// Returns whether another attempt could execute the request twice.
    fn must_end(&self) -> bool {
        self.idempotency == Idempotency::AtMostOnce && self.may_have_been_executed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Packs the failure of an attempt into an [`AttemptFailure`], which keeps it whole on the way through the retry policy, and
/// ends the retries of azure_core, and of a caller's own policy, where they would do harm:
///
/// * A call that must not be executed twice is not sent again once it may have been executed.
/// * A wait that the service asks for and that is longer than the caller allows ends the call with the service's response:
///   azure_core would wait, and an attempt before the time would only count against the limit.
///
/// Stands before all other policies of an attempt.
#[derive(Debug)]
pub(super) struct OutcomePolicy {
    pub(super) max_retry_after: Duration,
    pub(super) body_limit: BodyLimit,
    pub(super) clock: Clock,
}

#[async_trait::async_trait]
impl Policy for OutcomePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let (policy, next) = next_policy(next)?;
        let Some(call) = ctx.value::<Call>() else {
            return policy.send(ctx, request, next).await;
        };
        match policy.send(ctx, request, next).await {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => {
                let response = buffered(response, self.body_limit, call.time_left(&self.clock)).await?;
                let response = resolve_retry_after(response);
                let status = response.status();
                call.attempt_failed(&format!("{status} {}", status.canonical_reason()));
                if call.must_end() || self.asks_for_too_long(&response, call) {
                    return Err(Error::new(ErrorKind::Other, AttemptFailure::Final(response)));
                }
                Ok(into_stream(response))
            }
            Err(error) => {
                let error = described(error, request);
                call.attempt_failed(&error.to_string());
                // A retry policy decides by the kind.
                let kind = if call.must_end() {
                    ErrorKind::Other
                } else {
                    error.kind().clone()
                };
                Err(Error::new(kind, AttemptFailure::Failed(error)))
            }
        }
    }
}

impl OutcomePolicy {
    /// Returns whether a response asks for a longer wait than the caller allows.
    fn asks_for_too_long(&self, response: &RawResponse, call: &Call) -> bool {
        // azure_core reads the header with these two only.
        if !matches!(
            response.status(),
            StatusCode::TooManyRequests | StatusCode::ServiceUnavailable
        ) {
            return false;
        }
        let time_left = call.time_left(&self.clock);
        retry_after(response.headers())
            .is_some_and(|wait| wait > self.max_retry_after || time_left.is_some_and(|left| wait >= left))
    }
}

/// Sends a request, reads the whole response, and records whether the service may have executed the request.
///
/// It stands behind all other policies, those of the caller included: what fails before it has not touched the service, and
/// a policy that sends a request twice is recorded twice. The body is read inside the attempt, so that a connection lost
/// halfway is retried like one lost before.
#[derive(Debug)]
pub(super) struct SendPolicy {
    pub(super) body_limit: BodyLimit,
    pub(super) may_have_been_executed: fn(&RawResponse) -> bool,
    pub(super) clock: Clock,
}

#[async_trait::async_trait]
impl Policy for SendPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let (policy, next) = next_policy(next)?;
        let Some(call) = ctx.value::<Call>() else {
            return policy.send(ctx, request, next).await;
        };
        call.sending();
        let response = policy.send(ctx, request, next).await.inspect_err(|error| {
            if was_not_sent(error) {
                call.not_executed();
            }
        })?;
        let response = buffered(response, self.body_limit, call.time_left(&self.clock)).await?;
        if !response.status().is_success() && !(self.may_have_been_executed)(&response) {
            call.not_executed();
        }
        Ok(into_stream(response))
    }
}

/// Returns whether a transport's error means that nothing was sent. No other kind than `Connection` does.
fn was_not_sent(error: &Error) -> bool {
    *error.kind() == ErrorKind::Connection || chain(error).any(is_builder_error)
}

/// Returns whether a transport could not build a request, as with a line break in a header.
fn is_builder_error(error: &(dyn std::error::Error + 'static)) -> bool {
    #[cfg(feature = "reqwest")]
    if error.downcast_ref().is_some_and(reqwest::Error::is_builder) {
        return true;
    }
    #[cfg(feature = "hyper")]
    if error.is::<hyper::http::Error>() {
        return true;
    }
    #[cfg(not(any(feature = "hyper", feature = "reqwest")))]
    let _ = error;
    false
}

/// The policy that follows, and those that follow it.
pub type Next<'a> = (&'a Arc<dyn Policy>, &'a [Arc<dyn Policy>]);

/// Splits off the policy that follows.
///
/// # Errors
///
/// No policy follows, which is so for the transport only.
pub fn next_policy(policies: &[Arc<dyn Policy>]) -> Result<Next<'_>> {
    policies
        .split_first()
        .ok_or_else(|| Error::with_message(ErrorKind::Other, "the pipeline has no transport"))
}
