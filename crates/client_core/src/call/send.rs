//! The sending of a request, and the reading of its response.

use super::attempt::Call;
use crate::{clock::Clock, runtime};
use azure_core::{
    Bytes, Error, Result,
    error::ErrorKind,
    http::{
        AsyncRawResponse, AsyncResponseBody, Context, RawResponse, Request, StatusCode,
        policies::{Policy, PolicyResult},
    },
    time::Duration,
};
use futures::StreamExt as _;
use std::sync::Arc;

/// The longest time for the body of a failure, whose status says the most.
const FAILURE_BODY_TIMEOUT: Duration = Duration::seconds(5);

/// The longest body that is read.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimit {
    /// Its length in bytes.
    pub max_len: usize,
    /// The advice to a caller who gets a longer one.
    pub remedy: &'static str,
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
        let before = call.sending();
        let response = policy.send(ctx, request, next).await.inspect_err(|error| {
            if was_not_sent(error) {
                call.not_executed(before);
            }
        })?;
        let response = buffered(response, self.body_limit, call.time_left(&self.clock)).await?;
        if !response.status().is_success() && !(self.may_have_been_executed)(&response) {
            call.not_executed(before);
        }
        Ok(into_stream(response))
    }
}

/// Returns whether a transport's error means that nothing was sent. No other kind than `Connection` does.
fn was_not_sent(error: &Error) -> bool {
    *error.kind() == ErrorKind::Connection || was_not_built(error)
}

/// Returns whether `reqwest` could not build a request, as with a line break in a header.
#[cfg(feature = "reqwest")]
fn was_not_built(error: &Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            return error.is_builder();
        }
        cause = error.source();
    }
    false
}

#[cfg(not(feature = "reqwest"))]
fn was_not_built(_error: &Error) -> bool {
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

/// Reads the body of a response. A failure is returned with what could be read of its body in five seconds, or in half of the
/// time that is left.
///
/// # Errors
///
/// The response is a success, and its body is too long or cannot be read to its end.
pub async fn buffered(
    response: AsyncRawResponse,
    limit: BodyLimit,
    time_left: Option<Duration>,
) -> Result<RawResponse> {
    let (status, headers, body) = response.deconstruct();
    let mut bytes = Bytes::new();
    if status.is_success() {
        collect(status, body, limit, &mut bytes).await?;
    } else {
        let timeout = time_left.map_or(FAILURE_BODY_TIMEOUT, |left| FAILURE_BODY_TIMEOUT.min(left / 2));
        let collected = collect(status, body, limit, &mut bytes);
        // The status is what matters, whatever becomes of the body.
        let _ = runtime::timeout(Some(timeout), collected).await;
    }
    Ok(RawResponse::from_bytes(status, headers, bytes))
}

/// Passes on a response that has been read.
#[must_use]
pub fn into_stream(response: RawResponse) -> AsyncRawResponse {
    let (status, headers, body) = response.deconstruct();
    AsyncRawResponse::from_bytes(status, headers, body)
}

/// Reads a body up to a limit. A body in one piece is not copied.
async fn collect(status: StatusCode, mut body: AsyncResponseBody, limit: BodyLimit, bytes: &mut Bytes) -> Result<()> {
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(interrupted)?;
        let room = limit.max_len - bytes.len();
        if chunk.len() > room {
            append(bytes, chunk.slice(..room));
            let BodyLimit { max_len, remedy } = limit;
            let text = format!("the response (status {status}) is longer than {max_len} bytes; {remedy}");
            return Err(Error::with_message(ErrorKind::DataConversion, text));
        }
        append(bytes, chunk);
    }
    Ok(())
}

/// Appends a piece; the buffer of the first one grows where it can.
fn append(bytes: &mut Bytes, chunk: Bytes) {
    if bytes.is_empty() {
        *bytes = chunk;
        return;
    }
    let mut whole = Vec::from(std::mem::take(bytes));
    whole.extend_from_slice(&chunk);
    *bytes = whole.into();
}

/// Gives a body that broke off the kind `Io`: `Connection`, which a transport may call it, means that nothing was sent.
fn interrupted(error: Error) -> Error {
    if *error.kind() != ErrorKind::Connection {
        return error;
    }
    let text = error.to_string();
    Error::with_error(ErrorKind::Io, error, text)
}
