//! Calls over azure_core's pipeline: bounded in time and length, and retried only where that is safe.

mod attempt;
mod body;
mod failure;
#[cfg(feature = "hyper")]
mod hyper_transport;
#[cfg(any(feature = "hyper", feature = "reqwest"))]
pub mod transport;

pub use attempt::{Idempotency, Next, next_policy};
pub use body::{BodyLimit, buffered, into_stream};
#[cfg(feature = "hyper")]
pub use hyper_transport::HyperTransport;

use crate::{clock::Clock, error::invalid_argument, headers::RETRY_HEADERS, runtime};
use attempt::{Call, OutcomePolicy, SendPolicy};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        ClientOptions, Context, Pipeline, PipelineOptions, PipelineStreamOptions, RawResponse, Request, StatusCode,
        policies::{Policy, RetryHeaders},
    },
    time::Duration,
};
use failure::{AttemptFailure, name};
use std::{io, pin::pin, sync::Arc};

/// The statuses after which an idempotent request is sent again. They are azure_core's own.
pub const RETRIED_STATUSES: [StatusCode; 6] = [
    StatusCode::RequestTimeout,
    StatusCode::TooManyRequests,
    StatusCode::InternalServerError,
    StatusCode::BadGateway,
    StatusCode::ServiceUnavailable,
    StatusCode::GatewayTimeout,
];

/// Returns whether a service may have executed a request that received this unsuccessful status.
///
/// * A 4xx refuses the request before it is executed, also if a gateway writes it (RFC 9110, section 15.5; RFC 6585,
///   section 4). A gateway may send 408 after the request was executed.
/// * A 5xx leaves it open: gateways write them after the service took too long or its response was lost.
/// * A redirection asks for another request first. Only a 303 may follow one that was executed (RFC 9110, section 15.4.4).
#[must_use]
pub fn may_have_been_executed(status: StatusCode) -> bool {
    match status {
        StatusCode::RequestTimeout | StatusCode::SeeOther => true,
        _ => !status.is_client_error() && !status.is_redirection(),
    }
}

/// Options for a [`CallPipeline`].
#[derive(Debug)]
pub struct CallOptions {
    /// The longest that a call may take; `None` sets no bound.
    pub timeout: Option<Duration>,
    /// The longest wait that the service may ask for; a longer one ends the call with the service's response.
    pub max_retry_after: Duration,
    /// The longest body that is read.
    pub body_limit: BodyLimit,
    /// Returns whether the service may have executed a request that received this unsuccessful response.
    pub may_have_been_executed: fn(&RawResponse) -> bool,
    /// The clock of the deadlines.
    pub clock: Clock,
}

/// azure_core's pipeline for calls.
#[derive(Clone, Debug)]
pub struct CallPipeline {
    pipeline: Pipeline,
    timeout: Option<Duration>,
    body_limit: BodyLimit,
    clock: Clock,
}

/// The outcome of a call.
#[derive(Debug)]
pub struct Outcome {
    /// The response, with any status, or the error of the last attempt or of the timeout.
    pub result: Result<RawResponse>,
    /// The texts that policies of the caller have put around the failure, the innermost first.
    pub contexts: Vec<String>,
    /// `true` if the service may have executed the request.
    pub may_have_been_executed: bool,
}

impl CallPipeline {
    /// Creates a pipeline.
    ///
    /// # Arguments
    ///
    /// * `user_agent` - The name and version of the client.
    /// * `client_options` - azure_core's options, with a transport.
    /// * `per_try_policies` - Policies of each attempt, before those of the caller.
    /// * `options` - Options for the calls.
    ///
    /// # Errors
    ///
    /// An option is one that azure_core would panic over, or that cannot be kept.
    pub fn new(
        user_agent: (&'static str, &'static str),
        mut client_options: ClientOptions,
        per_try_policies: impl IntoIterator<Item = Arc<dyn Policy>>,
        options: CallOptions,
    ) -> Result<Self> {
        check(&client_options, &options)?;
        // Behind the caller's policies, which may refuse a request before it is sent.
        client_options.per_try_policies.push(Arc::new(SendPolicy {
            body_limit: options.body_limit,
            may_have_been_executed: options.may_have_been_executed,
            clock: options.clock.clone(),
        }));
        let outcome: Arc<dyn Policy> = Arc::new(OutcomePolicy {
            max_retry_after: options.max_retry_after,
            body_limit: options.body_limit,
            clock: options.clock.clone(),
        });
        let pipeline_options = PipelineOptions {
            retry_headers: RetryHeaders {
                retry_headers: RETRY_HEADERS.to_vec(),
            },
            retry_status_codes: RETRIED_STATUSES.to_vec(),
        };
        let (name, version) = user_agent;
        let pipeline = Pipeline::new(
            Some(name),
            Some(version),
            client_options,
            Vec::new(),
            [outcome].into_iter().chain(per_try_policies).collect(),
            Some(pipeline_options),
        );
        Ok(Self {
            pipeline,
            timeout: options.timeout,
            body_limit: options.body_limit,
            clock: options.clock,
        })
    }

    /// Sends a request, with retries, and reads the response.
    ///
    /// Status checks are off in azure_core: it drops the error code if the message contains an escape. The body is read
    /// here, because azure_core would read one of any length.
    ///
    /// # Arguments
    ///
    /// * `context` - The context of the call.
    /// * `request` - The request. It keeps the headers of its last attempt.
    /// * `idempotency` - The effect of executing the request a second time.
    pub async fn call(&self, mut context: Context<'_>, request: &mut Request, idempotency: Idempotency) -> Outcome {
        let deadline = self.timeout.map(|timeout| self.clock.elapsed().saturating_add(timeout));
        context.insert(Call::new(idempotency, deadline));
        let options = PipelineStreamOptions {
            skip_checks: true,
            ..Default::default()
        };
        let response = {
            // A future that is moved into another takes up room in both, and this is the largest.
            let response = pin!(async {
                let response = self.pipeline.stream(&context, request, Some(options)).await?;
                buffered(response, self.body_limit, None).await
            });
            runtime::timeout(self.timeout, response).await
        };

        let call = context.value::<Call>();
        let (result, mut contexts) = match response.map(|response| response.map_err(AttemptFailure::take)) {
            Ok(Ok(response)) => (Ok(response), Vec::new()),
            Ok(Err(Ok((AttemptFailure::Final(response), contexts)))) => (Ok(response), contexts),
            Ok(Err(Ok((AttemptFailure::Failed(error), contexts)))) => (Err(error), contexts),
            Ok(Err(Err(error))) => (Err(error), Vec::new()),
            Err(timeout) => {
                let reason = call.map(Call::take_last_failure).unwrap_or_default();
                (Err(timed_out(timeout, request, &reason)), Vec::new())
            }
        };
        contexts.reverse();
        Outcome {
            result,
            contexts,
            may_have_been_executed: call.is_some_and(Call::may_have_been_executed),
        }
    }
}

/// Refuses options that azure_core would panic over, and bounds that cannot be kept.
fn check(client_options: &ClientOptions, options: &CallOptions) -> Result<()> {
    let refuse = |text| Err(invalid_argument(text));
    if let Some(id) = &client_options.user_agent.application_id {
        let is_token = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if id.len() > 24 || !is_token {
            return refuse(
                "application_id has more than 24 characters, or others than letters, digits and !#$%&'*+-.^_`|~",
            );
        }
    }
    if options.timeout.is_some_and(|timeout| timeout <= Duration::ZERO) {
        return refuse("timeout is not positive; set None for no bound");
    }
    if options.max_retry_after.is_negative() {
        return refuse("max_retry_after is negative; set Duration::ZERO to wait for nothing that the service asks for");
    }
    Ok(())
}

/// Creates the error of a call whose time is over. `reason` may be empty.
fn timed_out(timeout: Duration, request: &Request, reason: &str) -> Error {
    let mut text = format!(
        "{} was given up after {timeout}, the most that the option `timeout` allows",
        name(request)
    );
    if !reason.is_empty() {
        text = format!("{text}: {reason}");
    }
    Error::with_error(ErrorKind::Io, io::Error::from(io::ErrorKind::TimedOut), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_rules_an_execution_out() {
        for (status, expected) in [
            (301, false),
            (302, false),
            (303, true),
            (307, false),
            (400, false),
            (401, false),
            (404, false),
            (408, true),
            (429, false),
            (499, false),
            (500, true),
            (502, true),
            (503, true),
            (504, true),
            (600, true),
        ] {
            assert_eq!(may_have_been_executed(status.into()), expected, "{status}");
        }
    }
}
