//! The outcome of an attempt, as the retry policy and the caller get it.

use super::{
    AttemptFailure, Call, Idempotency, buffered,
    call::{Attempt, Progress},
    into_stream, next_policy,
};
use crate::{
    auth::Clock,
    error::{resolve_retry_after, retry_after, service_error},
};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        Context, RawResponse, Request, StatusCode,
        headers::Headers,
        policies::{Policy, PolicyResult},
    },
    time::Duration,
};
use std::sync::Arc;

/// Packs the failure of an attempt into an [`AttemptFailure`], which keeps it whole on the way through the retry policy,
/// and ends the retries of azure_core, and of a caller's own policy, where they would do harm:
///
/// * A creation that must not be executed twice is not sent again once it may have been executed. The service has nothing
///   by which it would recognise a repeated creation, and no list of identities, so one whose response was lost could
///   never be found again. [`may_have_been_executed`] and [`has_reached_the_service`] have the rules.
/// * A wait that the service asks for and that is longer than the caller allows ends the call with the service's response:
///   azure_core would wait, and an attempt before the time would only count against the limit.
///
/// Stands before all other policies of an attempt.
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
        let attempt = call.begin_attempt();
        match policy.send(ctx, request, next).await {
            Ok(response) if response.status().is_success() => Ok(response),
            Ok(response) => {
                let response = resolve_retry_after(buffered(response).await?);
                let status = response.status();
                let uncertain = may_have_been_executed(&response);
                attempt.failed(&format!("{status} {}", status.canonical_reason()), uncertain);
                let last_creation = uncertain && call.idempotency == Idempotency::AtMostOnce;
                if last_creation || self.asks_for_too_long(status, response.headers(), call) {
                    return Err(Error::new(ErrorKind::Other, AttemptFailure::Final(response)));
                }
                Ok(into_stream(response))
            }
            Err(error) => {
                let uncertain = has_reached_the_service(&attempt, &error);
                attempt.failed(&error.to_string(), uncertain);
                // A retry policy decides by the kind.
                let kind = if uncertain && call.idempotency == Idempotency::AtMostOnce {
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
    /// Returns whether the service asks for a longer wait than the caller allows.
    fn asks_for_too_long(&self, status: StatusCode, headers: &Headers, call: &Call) -> bool {
        // azure_core reads the header with these two only.
        if !matches!(status, StatusCode::TooManyRequests | StatusCode::ServiceUnavailable) {
            return false;
        }
        let time_left = call.deadline.map(|deadline| deadline - self.clock.elapsed());
        retry_after(headers)
            .is_some_and(|wait| wait > self.max_retry_after || time_left.is_some_and(|left| wait >= left))
    }
}

/// Returns whether the service may have executed a request that got this response, which is no success.
///
/// * Any 5xx and a 408 leave it open. Gateways answer them too, after the service took too long or its response was lost
///   ([Front Door][front-door]).
/// * A 503 is the service's own refusal only if it has the service's error in its body: gateways answer it as they do 504.
/// * All others, 429 among them, refuse the request before it is executed, whoever answers them (RFC 9110, section 15.5;
///   RFC 6585, section 4).
///
/// [front-door]: https://learn.microsoft.com/azure/frontdoor/front-door-troubleshoot-routing
fn may_have_been_executed(response: &RawResponse) -> bool {
    match response.status() {
        StatusCode::RequestTimeout => true,
        StatusCode::ServiceUnavailable => service_error(response.body()).is_none(),
        status => status.is_server_error(),
    }
}

/// Returns whether the service may have executed a request whose attempt ended in an error.
///
/// The transport is the last to touch a request, so it was not sent if the transport did not get it. Of the transport's
/// errors, only the kind `Connection` means that nothing was sent, and only as long as no response has arrived.
fn has_reached_the_service(attempt: &Attempt<'_>, error: &Error) -> bool {
    match attempt.progress() {
        Progress::NotSent => false,
        Progress::Sent => *error.kind() != ErrorKind::Connection,
        Progress::Answered => true,
    }
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

    async fn create(clock: &MovedClock, answers: Vec<Answer>, timeout: i64) -> (usize, Option<StatusCode>) {
        let service = FakeService::new(answers);
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
        let status = result.map_or_else(|error| error.http_status(), |response| Some(response.status()));
        (service.requests().len(), status)
    }

    #[tokio::test(start_paused = true)]
    async fn earlier_attempts_use_up_the_timeout() {
        for (timeout, attempts, status) in [(25, 2, StatusCode::TooManyRequests), (35, 3, StatusCode::Created)] {
            let clock = MovedClock::new("2026-08-01T00:00:00Z");
            let answers = vec![busy(&clock), busy(&clock), created()];
            assert_eq!(create(&clock, answers, timeout).await, (attempts, Some(status)));
        }
    }

    /// Time synchronisation, or a person, sets the clock while a call runs.
    #[tokio::test(start_paused = true)]
    async fn a_machine_clock_that_is_set_does_not_end_a_call() {
        for by in [Duration::hours(5), Duration::hours(-5)] {
            let clock = MovedClock::new("2026-08-01T00:00:00Z");
            let set = clock.clone();
            let busy = busy(&clock);
            let answer: Answer = Box::new(move |request| {
                set.set(by);
                busy(request)
            });
            let outcome = create(&clock, vec![answer, created()], 35).await;
            assert_eq!(outcome, (2, Some(StatusCode::Created)), "{by}");
        }
    }
}
