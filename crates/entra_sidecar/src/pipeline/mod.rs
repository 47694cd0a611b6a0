//! The pipeline: sends the requests of the operations, and turns failures into errors.

mod failure;

#[cfg(feature = "reqwest")]
use crate::base_url::is_near;
use crate::{models::SidecarHealth, options::SidecarClientOptions, requests::SidecarRequest};
use azure_core::{
    Error, Result,
    http::{ClientOptions, Context, RawResponse, RetryOptions, Transport, Url},
    time::Duration,
};
use client_core::{
    call::{self, BodyLimit, CallOptions, CallPipeline, Idempotency, Outcome},
    clock::Clock,
};
use failure::FailedCall;

/// The connect timeout of a sidecar nearby.
#[cfg(feature = "reqwest")]
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// The pipeline of a client. Its errors are those of the client's operations.
#[derive(Clone, Debug)]
pub(crate) struct SidecarPipeline {
    /// Retries by the client's options.
    retrying: CallPipeline,
    /// Sends every request once.
    once: CallPipeline,
}

impl SidecarPipeline {
    pub(crate) fn new(base_url: &Url, options: &SidecarClientOptions) -> Result<Self> {
        let transport = match &options.client_options.transport {
            Some(transport) => transport.clone(),
            None => default_transport(base_url)?,
        };
        let calls = |retry: RetryOptions| {
            CallPipeline::new(
                (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
                ClientOptions {
                    transport: Some(transport.clone()),
                    retry,
                    ..options.client_options.clone()
                },
                [],
                CallOptions {
                    timeout: options.timeout,
                    // The timeout is the bound.
                    max_retry_after: Duration::MAX,
                    body_limit: BodyLimit {
                        max_len: options.max_response_len,
                        remedy: "ask the API for less, or raise max_response_len in SidecarClientOptions",
                    },
                    may_have_been_executed: |response| call::may_have_been_executed(response.status()),
                    clock: Clock::system(),
                },
            )
        };
        Ok(Self {
            retrying: calls(options.client_options.retry.clone())?,
            once: calls(RetryOptions::none())?,
        })
    }

    /// Sends a request, and retries it if it is idempotent.
    ///
    /// # Arguments
    ///
    /// * `read` - Reads the body of a success.
    pub(crate) async fn send<T>(
        &self,
        context: Context<'_>,
        request: SidecarRequest,
        idempotency: Idempotency,
        read: impl FnOnce(&[u8]) -> Result<T>,
    ) -> Result<T> {
        let pipeline = if idempotency == Idempotency::Idempotent {
            &self.retrying
        } else {
            &self.once
        };
        let read = |response: &RawResponse| response.status().is_success().then(|| read(response.body()));
        send(pipeline, context, request, idempotency, read).await
    }

    /// Sends a health check once.
    pub(crate) async fn check_health(&self, context: Context<'_>, request: SidecarRequest) -> Result<SidecarHealth> {
        let read = |response: &RawResponse| SidecarHealth::from_response(response).map(Ok);
        send(&self.once, context, request, Idempotency::Idempotent, read).await
    }
}

/// Sends a request, and reads the response. `read` returns `None` for a failure.
async fn send<T>(
    pipeline: &CallPipeline,
    context: Context<'_>,
    request: SidecarRequest,
    idempotency: Idempotency,
    read: impl FnOnce(&RawResponse) -> Option<Result<T>>,
) -> Result<T> {
    let SidecarRequest {
        route,
        is_for_caller,
        mut request,
    } = request;
    let Outcome {
        result,
        contexts,
        may_have_been_executed,
    } = pipeline.call(context, &mut request, idempotency).await;
    let failed = FailedCall {
        route,
        is_for_caller,
        may_have_been_executed: may_have_been_executed && idempotency == Idempotency::AtMostOnce,
    };
    let error = match result {
        Ok(response) => match read(&response) {
            Some(Ok(value)) => return Ok(value),
            Some(Err(error)) => failed.with_unreadable_response(&error),
            None => failed.with_response(response),
        },
        Err(error) => failed.without_response(error),
    };
    Err(contexts.into_iter().fold(error, Error::with_context))
}

/// Creates the default transport.
///
/// A sidecar nearby is reached without the proxies of the environment: they would see the tokens of callers, and cannot reach
/// this machine's loopback.
#[cfg(feature = "reqwest")]
fn default_transport(base_url: &Url) -> Result<Transport> {
    if !is_near(base_url) {
        return call::transport::reqwest(|builder| builder);
    }
    // Without redirects and proxies, http never needs certificates, and the system may have none.
    #[cfg(feature = "reqwest_rustls")]
    if base_url.scheme() == "http" {
        return call::transport::reqwest(|builder| {
            builder.connect_timeout(CONNECT_TIMEOUT).no_proxy().tls_certs_only([])
        });
    }
    call::transport::reqwest(|builder| builder.connect_timeout(CONNECT_TIMEOUT).no_proxy())
}

#[cfg(not(feature = "reqwest"))]
fn default_transport(_base_url: &Url) -> Result<Transport> {
    Err(crate::error::invalid_argument(
        "there is no HTTP transport: set client_options.transport, or turn this crate's feature `reqwest` on",
    ))
}
