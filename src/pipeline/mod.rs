//! The way of a request to the service and back.

mod check;
mod failed_call;
mod supported_version;
mod time_limit;
#[cfg(feature = "reqwest")]
mod transport;

use crate::{
    auth::{AuthenticationPolicy, Clock, CredentialKind, UserToken},
    client::CommunicationIdentityClientOptions,
    error::invalid_argument,
    policies::{Call, Idempotency, OutcomePolicy, SendPolicy, buffered},
};
use azure_core::{
    Result, Uuid,
    credentials::Secret,
    http::{
        ClientOptions, Context, Pipeline, PipelineStreamOptions, RawResponse, Request, StatusCode, Transport,
        headers::CLIENT_REQUEST_ID, request::options::ClientRequestId,
    },
    time::Duration,
};
use failed_call::{FailedCall, timed_out};
use std::{pin::pin, sync::Arc};
use supported_version::SupportedVersion;
use time_limit::TimeLimit;

/// Response headers that azure_core may log, beside its own.
const LOGGED_HEADERS: [&str; 5] = [
    "api-supported-versions",
    "x-azure-ref",
    "x-ms-date",
    "x-ms-error-code",
    "x-processing-time",
];

/// azure_core's pipeline with this service's policies, and its errors put right.
#[derive(Clone, Debug)]
pub(crate) struct ServicePipeline {
    pipeline: Pipeline,
    clock: Clock,
    timeout: Option<Duration>,
    credential: CredentialKind,
    creation: Idempotency,
    version: SupportedVersion,
}

impl ServicePipeline {
    /// Builds the pipeline. `clock` is the one that `authentication` dates signatures by.
    pub(crate) fn new(
        authentication: AuthenticationPolicy,
        options: &CommunicationIdentityClientOptions,
        clock: Clock,
    ) -> Result<Self> {
        check::options(options)?;
        let credential = authentication.kind();
        let mut client_options = options.client_options.clone();
        client_options.transport = Some(transport(&client_options)?);
        let logged = &mut client_options.logging.additional_allowed_header_names;
        logged.extend(LOGGED_HEADERS.map(Into::into));
        // Behind the caller's policies, which may refuse a request before it is sent.
        client_options.per_try_policies.push(Arc::new(SendPolicy));
        let outcome = OutcomePolicy {
            max_retry_after: options.max_retry_after,
            clock: clock.clone(),
        };
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            client_options,
            Vec::new(),
            vec![Arc::new(outcome), Arc::new(authentication)],
            None,
        );
        Ok(Self {
            pipeline,
            clock,
            timeout: options.timeout,
            credential,
            creation: if options.retry_uncertain_creation {
                Idempotency::Duplicating
            } else {
                Idempotency::AtMostOnce
            },
            version: SupportedVersion::new(&options.api_version),
        })
    }

    /// The clock of the client, corrected by the service's.
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
        self.call(context, request, Idempotency::Idempotent, success)
    }

    /// Sends a request that creates a user: it is executed at most once, unless the client's options say otherwise.
    pub(crate) fn create(&self, context: Context<'_>, request: Request) -> impl Future<Output = Result<RawResponse>> {
        self.call(context, request, self.creation, &[StatusCode::Created])
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
        self.send(context.with_value(UserToken(token)), request, &[StatusCode::Ok])
            .await
    }

    /// Runs the pipeline, and turns what it fails with into the caller's error.
    ///
    /// Status checks are off in azure_core: it drops the error code if the message contains an escape. The body is read
    /// here, because azure_core would read one of any length.
    async fn call(
        &self,
        mut context: Context<'_>,
        mut request: Request,
        idempotency: Idempotency,
        success: &[StatusCode],
    ) -> Result<RawResponse> {
        let deadline = self.timeout.map(|timeout| self.clock.elapsed().saturating_add(timeout));
        context.insert(Call::new(idempotency, deadline));
        set_request_id(&context, &mut request);

        let mut time = TimeLimit::new(self.timeout);
        let options = PipelineStreamOptions {
            skip_checks: true,
            ..Default::default()
        };
        let response = async {
            // A future that is moved into another takes up room in both, and this is the largest.
            let response =
                pin!(async { buffered(self.pipeline.stream(&context, &mut request, Some(options)).await?).await });
            time.wait_for(response).await
        };
        let result = response.await;
        if let Ok(Ok(response)) = &result {
            self.version.check(response.headers());
        }
        let result = match result {
            Ok(Ok(response)) if success.contains(&response.status()) => return Ok(response),
            failure => failure,
        };

        let call = context.value::<Call>();
        let may_have_created_user = call.is_some_and(Call::may_have_created_user);
        let failed = FailedCall {
            request: &request,
            credential: match context.value::<UserToken>() {
                Some(_) => CredentialKind::UserToken,
                None => self.credential,
            },
            outcome_unknown: may_have_created_user.then_some(outcome_unknown(idempotency)),
        };
        Err(match result {
            Ok(Ok(response)) => failed.answered(response),
            Ok(Err(error)) => failed.raised(error),
            Err(timeout) => {
                let reason = call.map(Call::take_last_failure).unwrap_or_default();
                failed.unanswered(timed_out(timeout, &request, &reason))
            }
        })
    }
}

/// The transport of the options, or azure_core's default.
fn transport(options: &ClientOptions) -> Result<Transport> {
    match &options.transport {
        Some(transport) => Ok(transport.clone()),
        #[cfg(feature = "reqwest")]
        None => transport::default(),
        #[cfg(not(feature = "reqwest"))]
        None => Err(invalid_argument(
            "there is no HTTP transport: set client_options.transport, or turn this crate's feature `reqwest` on",
        )),
    }
}

/// The text of an error after which a user may exist.
fn outcome_unknown(idempotency: Idempotency) -> &'static str {
    match idempotency {
        Idempotency::AtMostOnce => {
            "It is not known whether the service created a user, so the request was not sent again. \
             CommunicationIdentityClientOptions::retry_uncertain_creation retries anyway, which can create a second user"
        }
        Idempotency::Duplicating | Idempotency::Idempotent => {
            "It is not known whether the service created a user, or with several attempts several users"
        }
    }
}

/// Gives the call its id. azure_core would too, but only after building an error, with a backtrace where those are on, for
/// the header that is missing.
fn set_request_id(context: &Context<'_>, request: &mut Request) {
    match context.value::<ClientRequestId>() {
        Some(id) => request.add_mandatory_header(id),
        None => request.insert_header(CLIENT_REQUEST_ID, Uuid::new_v4().to_string()),
    }
}

#[cfg(all(test, not(feature = "reqwest")))]
mod tests {
    use super::*;
    use crate::{CommunicationIdentityClient, fake_service::FakeService};

    const CONNECTION_STRING: &str = "endpoint=https://contoso.communication.azure.com/;accesskey=a2V5";

    #[test]
    fn a_client_without_a_transport_is_refused() {
        let error = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, None).unwrap_err();
        assert!(error.to_string().contains("client_options.transport"), "{error}");
    }

    #[tokio::test]
    async fn a_client_works_with_a_transport_of_ones_own() {
        let service = FakeService::new([crate::fake_service::created()]);
        let options = CommunicationIdentityClientOptions {
            client_options: service.client_options(),
            ..Default::default()
        };
        let client = CommunicationIdentityClient::with_connection_string(CONNECTION_STRING, Some(options)).unwrap();
        client.create_user(None).await.unwrap();
        assert_eq!(service.requests().len(), 1);
    }
}
