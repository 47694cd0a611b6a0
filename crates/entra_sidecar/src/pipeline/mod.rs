//! The way of a request to the sidecar and back.

mod call;
mod exchange;
mod outcome;
mod transport;
mod try_failure;

pub(crate) use call::Repetition;

use crate::{
    client::SidecarClientOptions,
    error::{Failure, SidecarError, SidecarErrorKind, invalid_argument},
    requests::Route,
    runtime,
};
use azure_core::{
    Error, Result,
    async_runtime::get_async_runtime,
    error::ErrorKind,
    http::{Context, Pipeline, PipelineStreamOptions, RawResponse, Request, Url, policies::Policy},
    time::Duration,
};
use call::Call;
use exchange::{ExchangePolicy, buffered};
use futures::future::{Either, select};
use outcome::OutcomePolicy;
use std::{io, pin::pin, sync::Arc};
use try_failure::TryFailure;

/// The policy that follows, and those that follow it.
type Following<'a> = (&'a Arc<dyn Policy>, &'a [Arc<dyn Policy>]);

/// azure_core's pipeline with this client's policies, and its errors put right.
#[derive(Clone, Debug)]
pub(crate) struct SidecarPipeline {
    pipeline: Pipeline,
    timeout: Option<Duration>,
    max_answer_len: usize,
}

impl SidecarPipeline {
    pub(crate) fn new(base_url: &Url, options: &SidecarClientOptions) -> Result<Self> {
        check(options)?;
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            transport::client_options(base_url, options)?,
            Vec::new(),
            vec![Arc::new(OutcomePolicy), Arc::new(ExchangePolicy)],
            None,
        );
        Ok(Self {
            pipeline,
            timeout: options.timeout,
            max_answer_len: options.max_answer_len,
        })
    }

    /// Sends a request, and returns whatever is answered.
    ///
    /// Core is to check no status, because the two kinds of 401 are told apart by their bodies, and to read no body,
    /// because it would read one of any length.
    pub(crate) async fn exchange(
        &self,
        mut context: Context<'_>,
        mut request: Request,
        route: Route,
        repetition: Repetition,
    ) -> Result<RawResponse> {
        context.insert(Call::new(repetition, self.timeout, self.max_answer_len));
        let options = PipelineStreamOptions {
            skip_checks: true,
            ..Default::default()
        };
        let exchanged = async { buffered(self.pipeline.stream(&context, &mut request, Some(options)).await?).await };
        let error = match self.in_time(exchanged).await {
            Ok(result) => match result.map_err(TryFailure::take) {
                Ok(response) | Err(Ok(TryFailure::Final(response))) => return Ok(response),
                Err(Ok(TryFailure::Failed(error)) | Err(error)) => error,
            },
            Err(timeout) => {
                let text = format!("it took longer than {timeout}, the most that the option `timeout` allows");
                Error::with_error(ErrorKind::Io, io::Error::from(io::ErrorKind::TimedOut), text)
            }
        };
        Err(unanswered(&error, &request, at_most_once(route, repetition)).unwrap_or(error))
    }

    /// Sends a request, and makes an error of every answer but success.
    pub(crate) async fn send(
        &self,
        context: Context<'_>,
        request: Request,
        route: Route,
        repetition: Repetition,
    ) -> Result<RawResponse> {
        let response = self.exchange(context, request, route, repetition).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let failure = Failure {
            route,
            at_most_once: at_most_once(route, repetition),
        };
        Err(failure.into_error(response))
    }

    /// Waits for a future as long as a call may take. The error is that time.
    async fn in_time<F: Future>(&self, future: F) -> std::result::Result<F::Output, Duration> {
        let Some(timeout) = self.timeout.filter(|_| runtime::is_available()) else {
            return Ok(future.await);
        };
        match select(pin!(future), get_async_runtime().sleep(timeout)).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(_) => Err(timeout),
        }
    }
}

/// Whether a request is one that must not be executed twice: a check of the sidecar's health is sent once too, but nothing
/// is executed by it.
fn at_most_once(route: Route, repetition: Repetition) -> bool {
    repetition == Repetition::Forbidden && route != Route::Health
}

/// The error of a call that got no whole answer; `None` for one that is not of the transport.
fn unanswered(error: &Error, request: &Request, at_most_once: bool) -> Option<Error> {
    let host = request.url().authority();
    let (kind, what) = match error.kind() {
        ErrorKind::Connection | ErrorKind::Io => (
            SidecarErrorKind::Unavailable,
            format!("the sidecar at {host} did not answer"),
        ),
        ErrorKind::DataConversion => (
            SidecarErrorKind::Protocol,
            format!("what answered at {host} is not the sidecar"),
        ),
        _ => return None,
    };
    let executed = at_most_once && *error.kind() != ErrorKind::Connection;
    let failure = SidecarError::new(kind, format!("{what}: {}", reasons(error, request)));
    Some(failure.possibly_executed(executed).into_error(error.kind().clone()))
}

/// What an error and its sources say, but for the query of the request: that can hold names and keys, and transports show
/// it. For the same reason the sources are not kept.
fn reasons(error: &Error, request: &Request) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    match request.url().query() {
        Some(query) if !query.is_empty() => text.replace(query, "…"),
        _ => text,
    }
}

/// The error of an answer that cannot be read.
pub(crate) fn unreadable(error: &Error, at_most_once: bool) -> Error {
    let text = format!("{error}; check the base URL, and any proxy in between");
    SidecarError::new(SidecarErrorKind::Protocol, text)
        .possibly_executed(at_most_once)
        .into_error(ErrorKind::DataConversion)
}

/// Splits off the policy that follows. Only the transport has none.
fn following(policies: &[Arc<dyn Policy>]) -> Result<Following<'_>> {
    policies
        .split_first()
        .ok_or_else(|| Error::with_message(ErrorKind::Other, "the pipeline has no transport"))
}

/// Refuses options that azure_core would panic over, and bounds that nothing can keep.
fn check(options: &SidecarClientOptions) -> Result<()> {
    if let Some(id) = &options.client_options.user_agent.application_id {
        let is_token = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if id.len() > 24 || !is_token {
            return Err(invalid_argument(
                "application_id has more than 24 characters, or others than letters, digits and !#$%&'*+-.^_`|~",
            ));
        }
    }
    if options.timeout.is_some_and(|timeout| timeout <= Duration::ZERO) {
        return Err(invalid_argument("timeout is not positive; set None for no bound"));
    }
    Ok(())
}
