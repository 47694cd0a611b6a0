//! Sends requests, and turns failures into errors with remedies.

mod failure;

use crate::{
    auth::{Credential, UserToken},
    constants::{BODY_LIMIT, SUPPORTED_VERSIONS},
    error::{invalid_argument, service_error},
    options::CommunicationIdentityClientOptions,
};
use azure_core::{
    Error, Result, Uuid,
    credentials::Secret,
    http::{
        ClientOptions, Context, RawResponse, Request, StatusCode, Transport,
        headers::{CLIENT_REQUEST_ID, Headers},
        request::options::ClientRequestId,
    },
};
use client_core::{
    call::{self, CallOptions, CallPipeline, Idempotency, Outcome},
    clock::Clock,
    headers::header,
};
use failure::FailedCall;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::warn;

/// Response headers that azure_core may log, beside its own.
const LOGGED_HEADERS: [&str; 5] = [
    "api-supported-versions",
    "x-azure-ref",
    "x-ms-date",
    "x-ms-error-code",
    "x-processing-time",
];

/// The pipeline of a client. Its errors are those of the client's operations.
#[derive(Debug)]
pub(crate) struct ServicePipeline {
    /// Authenticated by the client's credential.
    calls: CallPipeline,
    /// Authenticated by the user token of each call.
    user_calls: CallPipeline,
    credential: Credential,
    clock: Clock,
    creation: Idempotency,
    api_version: String,
    /// Set once a warning about the API version was logged.
    warned: AtomicBool,
}

impl ServicePipeline {
    pub(crate) fn new(
        credential: Credential,
        options: &CommunicationIdentityClientOptions,
        clock: Clock,
    ) -> Result<Self> {
        let mut client_options = options.client_options.clone();
        client_options.transport = Some(transport(&client_options)?);
        let logged = &mut client_options.logging.additional_allowed_header_names;
        logged.extend(LOGGED_HEADERS.map(Into::into));
        let calls = |credential: &Credential| {
            CallPipeline::new(
                (env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")),
                client_options.clone(),
                Some(credential.policy(&clock, options.correct_clock_skew)),
                CallOptions {
                    timeout: options.timeout,
                    max_retry_after: options.max_retry_after,
                    body_limit: BODY_LIMIT,
                    may_have_been_executed,
                    clock: clock.clone(),
                },
            )
        };
        Ok(Self {
            calls: calls(&credential)?,
            user_calls: calls(&Credential::UserToken)?,
            credential,
            clock,
            creation: if options.retry_uncertain_creation {
                Idempotency::Duplicating
            } else {
                Idempotency::AtMostOnce
            },
            api_version: options.api_version.clone(),
            warned: AtomicBool::default(),
        })
    }

    /// Returns the clock of the client, corrected by the service's.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Sends a request that may be executed more than once.
    pub(crate) fn send(
        &self,
        context: Context<'_>,
        request: Request,
        success: &[StatusCode],
    ) -> impl Future<Output = Result<RawResponse>> {
        self.call(&self.credential, context, request, Idempotency::Idempotent, success)
    }

    /// Sends a request that creates a user. It is executed at most once, unless the client's options allow more.
    pub(crate) fn create(&self, context: Context<'_>, request: Request) -> impl Future<Output = Result<RawResponse>> {
        self.call(
            &self.credential,
            context,
            request,
            self.creation,
            &[StatusCode::Created],
        )
    }

    /// Sends a request on behalf of a user, whose Entra token authenticates it.
    pub(crate) async fn send_for_user(
        &self,
        context: Context<'_>,
        request: Request,
        token: Secret,
    ) -> Result<RawResponse> {
        if request.url().scheme() != "https" {
            return Err(invalid_argument(
                "an Entra token must not travel in plain text: create the client with an https endpoint",
            ));
        }
        let context = context.with_value(UserToken(token));
        self.call(
            &Credential::UserToken,
            context,
            request,
            Idempotency::Idempotent,
            &[StatusCode::Ok],
        )
        .await
    }

    async fn call(
        &self,
        credential: &Credential,
        context: Context<'_>,
        mut request: Request,
        idempotency: Idempotency,
        success: &[StatusCode],
    ) -> Result<RawResponse> {
        set_request_id(&context, &mut request);
        let pipeline = match credential {
            Credential::UserToken => &self.user_calls,
            _ => &self.calls,
        };
        let outcome = pipeline.call(context, &mut request, idempotency).await;
        if let Ok(response) = &outcome.result {
            self.warn_of_unsupported_version(response.headers());
        }
        let Outcome {
            result,
            contexts,
            may_have_been_executed,
        } = outcome;
        let failed = FailedCall {
            request: &request,
            credential,
            api_version: &self.api_version,
            outcome_unknown: may_have_been_executed.then(|| outcome_unknown(idempotency)).flatten(),
        };
        let error = match result {
            Ok(response) if success.contains(&response.status()) => return Ok(response),
            Ok(response) => failed.with_response(response),
            Err(error) => failed.without_response(error),
        };
        Err(contexts.into_iter().fold(error, Error::with_context))
    }

    /// Logs a warning, once, if a response lists the supported versions without the client's.
    fn warn_of_unsupported_version(&self, headers: &Headers) {
        let Some(supported) = header(headers, &SUPPORTED_VERSIONS) else {
            return;
        };
        // The newest version, which is the default, comes last.
        let is_listed = supported
            .rsplit(',')
            .any(|version| version.trim() == &*self.api_version);
        // The version of an Entra exchange is not the caller's to choose.
        let is_chosen = !matches!(self.credential, Credential::UserToken);
        if is_chosen && !is_listed && !self.warned.swap(true, Ordering::Relaxed) {
            warn!(
                api_version = self.api_version,
                supported,
                "the service no longer lists this client's API version; set api_version to one that it lists"
            );
        }
    }
}

/// Returns the transport of the options, or a new default one.
fn transport(options: &ClientOptions) -> Result<Transport> {
    match &options.transport {
        Some(transport) => Ok(transport.clone()),
        #[cfg(any(feature = "hyper", feature = "reqwest"))]
        None => default_transport(),
        #[cfg(not(any(feature = "hyper", feature = "reqwest")))]
        None => Err(invalid_argument(
            "there is no HTTP transport: set client_options.transport, or turn this crate's feature `reqwest` or `hyper` on",
        )),
    }
}

/// Creates the HTTP transport that clients use by default.
///
/// Each client creates one for itself. Create one here to share its connections: among clients of several resources, among
/// credentials of many users, and with the credentials of `azure_identity`, whose own transport panics where this one returns
/// an error. Clones of a client share their transport anyway.
///
/// It has the settings of `azure_core`'s own transport, which is `reqwest`, and the proxies of the environment. Unlike that
/// one, it can be used from several tokio runtimes, with connections for each. With this crate's feature `hyper`, it is one
/// over `hyper`: faster and smaller, for http/1.1 without compression.
///
/// # Errors
///
/// The transport cannot be built, as without CA certificates.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions, default_transport};
/// use azure_core::http::ClientOptions;
/// use azure_identity::{ManagedIdentityCredential, ManagedIdentityCredentialOptions};
///
/// # fn main() -> azure_core::Result<()> {
/// let client_options = ClientOptions {
///     transport: Some(default_transport()?),
///     ..Default::default()
/// };
/// let credential = ManagedIdentityCredential::new(Some(ManagedIdentityCredentialOptions {
///     client_options: client_options.clone(),
///     ..Default::default()
/// }))?;
/// let client = CommunicationIdentityClient::new(
///     "https://contoso.communication.azure.com",
///     credential,
///     Some(CommunicationIdentityClientOptions { client_options, ..Default::default() }),
/// )?;
/// # Ok(()) }
/// ```
#[cfg(any(feature = "hyper", feature = "reqwest"))]
pub fn default_transport() -> Result<Transport> {
    #[cfg(feature = "hyper")]
    {
        call::transport::hyper()
    }
    #[cfg(not(feature = "hyper"))]
    {
        call::transport::reqwest(|builder| builder)
    }
}

/// Returns whether the service may have executed a request that received this unsuccessful response.
///
/// A 503 is the service's own refusal if it has the service's error in its body. Gateways such as [Front Door][front-door]
/// write one after the service took too long or its response was lost.
///
/// [front-door]: https://learn.microsoft.com/azure/frontdoor/front-door-troubleshoot-routing
fn may_have_been_executed(response: &RawResponse) -> bool {
    match response.status() {
        StatusCode::ServiceUnavailable => service_error(response.body()).is_none(),
        status => call::may_have_been_executed(status),
    }
}

/// Returns the text of an error after which a user may exist.
fn outcome_unknown(idempotency: Idempotency) -> Option<&'static str> {
    match idempotency {
        Idempotency::AtMostOnce => Some(
            "It is not known whether the service created a user, so the request was not sent again. \
             CommunicationIdentityClientOptions::retry_uncertain_creation retries anyway, which can create a second user",
        ),
        Idempotency::Duplicating => {
            Some("It is not known whether the service created a user, or with several attempts several users")
        }
        Idempotency::Idempotent => None,
    }
}

/// Gives the call its ID. azure_core would too, but only after building an error, with a backtrace where those are on, for
/// the header that is missing.
fn set_request_id(context: &Context<'_>, request: &mut Request) {
    match context.value::<ClientRequestId>() {
        Some(id) => request.add_mandatory_header(id),
        None => request.insert_header(CLIENT_REQUEST_ID, Uuid::new_v4().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        CommunicationIdentityClient, CommunicationIdentityClientOptions,
        auth::AzureKeyCredential,
        fake_service::{AttemptResponse, FakeService, created},
    };
    use azure_core::{
        http::{AsyncRawResponse, Request, StatusCode, headers::Headers},
        time::{Duration, parse_rfc3339},
    };
    use client_core::clock::ManualTime;

    fn manual_time() -> ManualTime {
        ManualTime::new(parse_rfc3339("2026-08-01T00:00:00Z").unwrap())
    }

    /// A response that takes ten seconds and asks for a wait of as many.
    fn busy(time: &ManualTime) -> AttemptResponse {
        let time = time.clone();
        Box::new(move |_: &Request| {
            time.advance(Duration::seconds(10));
            let mut headers = Headers::new();
            headers.insert("retry-after", "10");
            Ok(AsyncRawResponse::from_bytes(StatusCode::TooManyRequests, headers, ""))
        })
    }

    async fn create(time: &ManualTime, responses: Vec<AttemptResponse>, timeout: i64) -> (usize, Option<StatusCode>) {
        let service = FakeService::new(responses);
        let options = CommunicationIdentityClientOptions {
            timeout: Some(Duration::seconds(timeout)),
            client_options: service.client_options(),
            ..Default::default()
        };
        let client = CommunicationIdentityClient::build_with_key(
            "https://contoso.communication.azure.com/".parse().unwrap(),
            AzureKeyCredential::new("a2V5").unwrap(),
            &options,
            time.clock(),
        )
        .unwrap();
        let result = client.create_user(None).await;
        let status = result.map_or_else(|error| error.http_status(), |response| Some(response.status()));
        (service.requests().len(), status)
    }

    #[tokio::test(start_paused = true)]
    async fn earlier_attempts_use_up_the_timeout() {
        for (timeout, attempts, status) in [(25, 2, StatusCode::TooManyRequests), (35, 3, StatusCode::Created)] {
            let time = manual_time();
            let responses = vec![busy(&time), busy(&time), created()];
            assert_eq!(create(&time, responses, timeout).await, (attempts, Some(status)));
        }
    }

    /// Time synchronisation, or a person, sets the clock while a call runs.
    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_does_not_end_a_call() {
        for by in [Duration::hours(5), Duration::hours(-5)] {
            let time = manual_time();
            let set = time.clone();
            let busy = busy(&time);
            let response: AttemptResponse = Box::new(move |request| {
                set.set(by);
                busy(request)
            });
            let outcome = create(&time, vec![response, created()], 35).await;
            assert_eq!(outcome, (2, Some(StatusCode::Created)), "{by}");
        }
    }

    #[cfg(not(any(feature = "hyper", feature = "reqwest")))]
    mod without_transport {
        use super::*;

        const CONNECTION_STRING: &str = "endpoint=https://contoso.communication.azure.com/;accesskey=a2V5";

        #[test]
        fn a_client_without_a_transport_is_refused() {
            let error = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, None).unwrap_err();
            assert!(error.to_string().contains("client_options.transport"), "{error}");
        }

        #[tokio::test]
        async fn a_client_works_with_its_callers_transport() {
            let service = FakeService::new([created()]);
            let options = CommunicationIdentityClientOptions {
                client_options: service.client_options(),
                ..Default::default()
            };
            let client = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap();
            client.create_user(None).await.unwrap();
            assert_eq!(service.requests().len(), 1);
        }
    }
}
