//! What a try came to, as a retry policy is to see it, and as the caller will.

use super::{Call, OverlongBody, TryFailure, buffered, call::Repetition, next_policy};
use crate::{auth::Clock, error::retry_after};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        Context, Request, StatusCode,
        headers::Headers,
        policies::{Policy, PolicyResult},
    },
    time::Duration,
};
use std::sync::Arc;

/// Packs the failure of a try into a [`TryFailure`], which keeps it whole on the way through the retry policy, and ends
/// the retries of core, and of a caller's own policy, where they would do harm:
///
/// * A creation that must not be executed twice is not sent again once it may have been executed. The service has nothing
///   by which it would recognise a repeated creation, and it lists no identities, so one that was created by a try whose
///   answer was lost could never be found again. Such a try is repeated only if it was certainly not executed: no
///   connection was established (`ErrorKind::Connection`), or the service turned it away (429, 503).
/// * A wait that the service asks for and that is longer than the caller allows ends the call with the service's answer:
///   core would wait, and a try before the time would only count against the limit.
///
/// Stands before all other policies of a try.
#[derive(Debug)]
pub(crate) struct OutcomePolicy {
    pub(crate) max_retry_after: Duration,
    /// The clock of the calls' deadlines.
    pub(crate) clock: Clock,
}

#[async_trait::async_trait]
impl Policy for OutcomePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let (policy, next) = next_policy(next)?;
        let Some(call) = ctx.value::<Call>() else {
            return policy.send(ctx, request, next).await;
        };
        let this_try = call.begin_try();
        match policy.send(ctx, request, next).await {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => {
                let status = response.status();
                this_try.failed(&format!("{status} {}", status.canonical_reason()));
                let uncertain = may_have_been_executed(status);
                if !uncertain {
                    this_try.was_not_executed();
                }
                let last_creation = uncertain && call.repetition == Repetition::Forbidden;
                if last_creation || self.asks_for_too_long(status, response.headers(), call) {
                    let response = buffered(response).await?;
                    return Err(Error::new(ErrorKind::Other, TryFailure::Final(response)));
                }
                Ok(response)
            }
            Err(error) => {
                this_try.failed(&error.to_string());
                let interrupted = is_interruption(&error);
                if !interrupted {
                    this_try.was_not_executed();
                }
                // A retry policy decides by the kind.
                let kind = if interrupted && call.repetition == Repetition::Forbidden {
                    ErrorKind::Other
                } else {
                    error.kind().clone()
                };
                Err(Error::new(kind, TryFailure::Failed(error)))
            }
        }
    }
}

impl OutcomePolicy {
    /// Whether the service wants to be left alone for longer than the caller waits.
    fn asks_for_too_long(&self, status: StatusCode, headers: &Headers, call: &Call) -> bool {
        // Core reads the header with these two only.
        if !matches!(status, StatusCode::TooManyRequests | StatusCode::ServiceUnavailable) {
            return false;
        }
        let time_left = call.deadline.map(|deadline| deadline - self.clock.now());
        retry_after(headers)
            .is_some_and(|wait| wait > self.max_retry_after || time_left.is_some_and(|left| wait >= left))
    }
}

/// Whether an answer with this status leaves open what the service did.
fn may_have_been_executed(status: StatusCode) -> bool {
    status == StatusCode::RequestTimeout || (status.is_server_error() && status != StatusCode::ServiceUnavailable)
}

/// Whether an error comes from a request that was sent and not answered as it should be.
fn is_interruption(error: &Error) -> bool {
    *error.kind() == ErrorKind::Io || error.downcast_ref::<OverlongBody>().is_some()
}

#[cfg(test)]
mod tests {
    use crate::{
        CommunicationIdentityClient, CommunicationIdentityClientOptions,
        auth::{AzureKeyCredential, MovedClock},
        fake_service::{Answer, FakeService, created},
    };
    use azure_core::{
        http::{AsyncRawResponse, Request, StatusCode, headers::Headers},
        time::Duration,
    };

    /// An answer that takes ten seconds and asks for a wait of as many.
    fn busy(clock: &MovedClock) -> Answer {
        let clock = clock.clone();
        Box::new(move |_: &Request| {
            clock.advance(Duration::seconds(10));
            let mut headers = Headers::new();
            headers.insert("retry-after", "10");
            Ok(AsyncRawResponse::from_bytes(StatusCode::TooManyRequests, headers, ""))
        })
    }

    #[tokio::test(start_paused = true)]
    async fn the_time_that_is_left_is_what_earlier_tries_have_left() {
        for (timeout, tries, succeeds) in [(25, 2, false), (35, 3, true)] {
            let clock = MovedClock::new("2026-08-01T00:00:00Z");
            let service = FakeService::new([busy(&clock), busy(&clock), created()]);
            let options = CommunicationIdentityClientOptions {
                timeout: Some(Duration::seconds(timeout)),
                client_options: service.client_options(),
                ..Default::default()
            };
            let client = CommunicationIdentityClient::build_with_key(
                "https://contoso.communication.azure.com/".parse().unwrap(),
                AzureKeyCredential::new("a2V5").unwrap(),
                &options,
                clock.clock(),
            )
            .unwrap();
            let result = client.create_user(None).await;
            assert_eq!(service.requests().len(), tries);
            let status = result.map_or_else(|error| error.http_status(), |response| Some(response.status()));
            let expected = if succeeds {
                StatusCode::Created
            } else {
                StatusCode::TooManyRequests
            };
            assert_eq!(status, Some(expected));
        }
    }
}
