//! The attempts of a call: their state, and the retries that must not happen.

use super::send::{BodyLimit, buffered, into_stream, next_policy};
use crate::{
    clock::Clock,
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
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use url::Position;

/// The effect of executing a call's request a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// None: the request is retried after every transient failure.
    Idempotent,
    /// Another resource, which the caller accepts.
    Duplicating,
    /// Another resource: the request must not be executed twice.
    AtMostOnce,
}

/// The state of a call, in the [`Context`] of its attempts.
#[derive(Debug)]
pub(super) struct Call {
    idempotency: Idempotency,
    /// The end of the call's timeout, by the stopwatch of the client's clock.
    deadline: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    may_have_been_executed: bool,
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
        self.state().may_have_been_executed
    }

    /// Records that the request may be executed from now on, and returns whether that was so before.
    pub(super) fn sending(&self) -> bool {
        mem::replace(&mut self.state().may_have_been_executed, true)
    }

    /// Records that the request was not executed this time.
    pub(super) fn not_executed(&self, may_have_been_before: bool) {
        self.state().may_have_been_executed = may_have_been_before;
    }

    /// Returns the time that is left, by the stopwatch of a clock.
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

/// Adds to a transport's error which request failed and why: the reason stands only in the error's sources. The URL is left
/// out, because its path and query can hold ids and names.
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

/// Returns the name of a request in errors.
pub(super) fn name(request: &Request) -> String {
    let host = &request.url()[Position::BeforeHost..Position::AfterPort];
    format!("{} request to {host}", request.method())
}

/// The failure of an attempt, on its way through the retry policy to the caller.
#[derive(Debug)]
pub(super) enum AttemptFailure {
    /// With an error.
    Failed(Error),
    /// With a response that ends the call, although a retry policy would go on.
    Final(RawResponse),
}

/// The texts that azure_core's retry policy puts around an error that it does not retry.
const RETRY_TEXTS: [&str; 2] = [
    "non-transport error occurred which will not be retried",
    "retry policy expired and the request will no longer be retried",
];

impl AttemptFailure {
    /// Takes the failure out of an error, and with it the texts that policies of the caller have put around it, the
    /// outermost first. The retry policy's own text, which would hide the failure, is left out.
    ///
    /// # Errors
    ///
    /// The error itself if it holds no such failure, as that of a policy that runs once per call.
    pub(super) fn take(mut error: Error) -> Result<(Self, Vec<String>)> {
        if !holds_failure(&error) {
            return Err(error);
        }
        let mut contexts = Vec::new();
        loop {
            match error.into_downcast() {
                Ok(failure) => return Ok((failure, contexts)),
                Err(wrapper) => {
                    let context = wrapper.to_string();
                    if !RETRY_TEXTS.contains(&context.as_str()) {
                        contexts.push(context);
                    }
                    error = wrapper.into_downcast()?;
                }
            }
        }
    }
}

/// Returns whether there is an [`AttemptFailure`] in an error, or in the errors of azure_core that it wraps.
fn holds_failure(mut error: &Error) -> bool {
    loop {
        if error.downcast_ref::<AttemptFailure>().is_some() {
            return true;
        }
        match error.downcast_ref() {
            Some(inner) => error = inner,
            None => return false,
        }
    }
}

impl fmt::Display for AttemptFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Final(response) => write!(f, "status {}", response.status()),
        }
    }
}

impl std::error::Error for AttemptFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Final(_) => None,
        }
    }
}
