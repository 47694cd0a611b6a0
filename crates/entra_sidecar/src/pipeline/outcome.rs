//! What a try came to, as a retry policy is to see it, and as the caller will.

use super::{
    call::{Call, Repetition},
    exchange::buffered,
    following,
    try_failure::TryFailure,
};
use crate::error::retry_after;
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        Context, Request, StatusCode,
        headers::Headers,
        policies::{Policy, PolicyResult},
    },
};
use std::sync::Arc;

/// Packs the failure of a try into a [`TryFailure`], which keeps it whole on the way through the retry policy, and ends
/// the retries of core, and of a caller's own policy, where they would do harm:
///
/// * A call that must not be repeated ends with its first try. All calls of downstream APIs are POST requests to the
///   sidecar, and core would retry them whatever they do downstream.
/// * A wait that the sidecar asks for and that is longer than the time that is left ends the call with the sidecar's
///   answer: core would wait, and the answer would be lost.
///
/// Stands before all other policies of a try.
#[derive(Debug)]
pub(super) struct OutcomePolicy;

#[async_trait::async_trait]
impl Policy for OutcomePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let (policy, next) = following(next)?;
        let Some(call) = ctx.value::<Call>() else {
            return policy.send(ctx, request, next).await;
        };
        let is_last = call.repetition == Repetition::Forbidden;
        match policy.send(ctx, request, next).await {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) if is_last || asks_for_too_long(response.status(), response.headers(), call) => {
                let response = buffered(response).await?;
                Err(Error::new(ErrorKind::Other, TryFailure::Final(response)))
            }
            Ok(response) => Ok(response),
            Err(error) => {
                // A retry policy decides by the kind.
                let kind = if is_last {
                    ErrorKind::Other
                } else {
                    error.kind().clone()
                };
                Err(Error::new(kind, TryFailure::Failed(error)))
            }
        }
    }
}

/// Whether the sidecar wants to be left alone for longer than the caller waits. Core reads the header with these two only.
fn asks_for_too_long(status: StatusCode, headers: &Headers, call: &Call) -> bool {
    matches!(status, StatusCode::TooManyRequests | StatusCode::ServiceUnavailable)
        && retry_after(headers).is_some_and(|wait| call.is_too_long(wait))
}
