//! The way of a request to the service and back.

mod check;
mod failed_call;
mod time_limit;
mod turns;

use crate::{
    auth::{Clock, Credential, UserToken},
    client::CommunicationIdentityClientOptions,
    error::{Authentication, invalid_argument},
    policies::{Call, ExchangePolicy, OutcomePolicy, Repetition, buffered},
};
use azure_core::{
    Result, Uuid,
    credentials::Secret,
    http::{
        Context, Pipeline, PipelineStreamOptions, RawResponse, Request, StatusCode, headers::CLIENT_REQUEST_ID,
        request::options::ClientRequestId,
    },
    time::Duration,
};
use failed_call::{FailedCall, timed_out};
use std::{pin::pin, sync::Arc};
use time_limit::TimeLimit;
use turns::{Turn, Turns};

/// azure_core's pipeline with this service's policies, and its errors put right.
#[derive(Clone, Debug)]
pub(crate) struct ServicePipeline {
    pipeline: Pipeline,
    clock: Clock,
    timeout: Option<Duration>,
    authentication: Authentication,
    retry_uncertain_creation: bool,
    custom_ids: Turns,
}

impl ServicePipeline {
    /// `clock` is the machine's.
    pub(crate) fn new(
        credential: Credential,
        options: &CommunicationIdentityClientOptions,
        clock: Clock,
    ) -> Result<Self> {
        check::options(options)?;
        let authentication = credential.authentication();
        let mut client_options = options.client_options.clone();
        client_options.logging.additional_allowed_header_names.extend(
            [
                "api-supported-versions",
                "x-azure-ref",
                "x-ms-date",
                "x-ms-error-code",
                "x-processing-time",
            ]
            .map(Into::into),
        );
        let outcome = OutcomePolicy {
            max_retry_after: options.max_retry_after,
            clock: clock.clone(),
        };
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            client_options,
            Vec::new(),
            vec![
                Arc::new(outcome),
                Arc::new(credential.into_policy()),
                Arc::new(ExchangePolicy),
            ],
            None,
        );
        Ok(Self {
            pipeline,
            clock,
            timeout: options.timeout,
            authentication,
            retry_uncertain_creation: options.retry_uncertain_creation,
            custom_ids: Turns::default(),
        })
    }

    /// Sends a request that may be executed more than once.
    pub(crate) fn send(
        &self,
        context: Context<'_>,
        request: Request,
        success: &[StatusCode],
    ) -> impl Future<Output = Result<RawResponse>> {
        self.exchange(context, request, Effect::Repeatable, success)
    }

    /// Sends a request in the name of a user, who proves it with an Entra token.
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
        self.exchange(context, request, Effect::Repeatable, &[StatusCode::Ok])
            .await
    }

    /// Sends a request that creates a user: it is executed at most once, unless the client's options say otherwise.
    ///
    /// Requests for one custom id are sent one after another: when they ran at the same time, the service has been seen to
    /// create several users, and to refuse the custom id from then on (Azure/azure-sdk-for-js#38531).
    ///
    /// Earlier previews of the service answer 200 for a user that there is already.
    pub(crate) fn create(
        &self,
        context: Context<'_>,
        request: Request,
        custom_id: Option<&str>,
    ) -> impl Future<Output = Result<RawResponse>> {
        let success = &[StatusCode::Created, StatusCode::Ok];
        self.exchange(context, request, Effect::User { custom_id }, success)
    }

    /// Runs the pipeline, and says in the caller's terms how it failed.
    ///
    /// Core is to check no status, because it loses the error's code when the message holds an escape, and to read no
    /// body, because it would read one of any length.
    async fn exchange(
        &self,
        mut context: Context<'_>,
        mut request: Request,
        effect: Effect<'_>,
        success: &[StatusCode],
    ) -> Result<RawResponse> {
        let deadline = self.timeout.and_then(|timeout| self.clock.now().checked_add(timeout));
        context.insert(Call::new(self.repetition(effect), deadline));
        set_request_id(&context, &mut request);

        let mut time = TimeLimit::new(self.timeout);
        let _turn = match effect.custom_id() {
            Some(id) => Some(self.turn(id, &mut time, &request).await?),
            None => None,
        };
        let options = PipelineStreamOptions {
            skip_checks: true,
            ..Default::default()
        };
        let exchanged = async {
            // A future that is moved into another takes up room in both, and this is the largest.
            let exchanged =
                pin!(async { buffered(self.pipeline.stream(&context, &mut request, Some(options)).await?).await });
            time.wait_for(exchanged).await
        };
        let result = match exchanged.await {
            Ok(Ok(response)) if success.contains(&response.status()) => return Ok(response),
            failure => failure,
        };

        let call = context.value::<Call>();
        let may_have_created_user = call.is_some_and(Call::may_have_created_user);
        let failed = FailedCall {
            request: &request,
            authentication: match context.value::<UserToken>() {
                Some(_) => Authentication::UserToken,
                None => self.authentication,
            },
            outcome_unknown: may_have_created_user.then(|| self.outcome_unknown(effect)),
        };
        Err(match result {
            Ok(Ok(response)) => failed.answered(response),
            Ok(Err(error)) => failed.raised(error),
            Err(timeout) => {
                let why = call.map(Call::take_last_failure).unwrap_or_default();
                failed.unanswered(timed_out(timeout, &request, &why))
            }
        })
    }

    /// Waits until no other creation with a custom id is under way.
    async fn turn(&self, custom_id: &str, time: &mut TimeLimit, request: &Request) -> Result<Turn> {
        let timeout = match time.wait_for(self.custom_ids.take(custom_id)).await {
            // A turn that comes as the time ends is no use.
            Ok(turn) => match time.over() {
                None => return Ok(turn),
                Some(timeout) => timeout,
            },
            Err(timeout) => timeout,
        };
        let why = "another creation with its custom_id was under way";
        Err(timed_out(timeout, request, why))
    }

    fn repetition(&self, effect: Effect<'_>) -> Repetition {
        match effect {
            Effect::Repeatable => Repetition::Harmless,
            Effect::User { .. } if self.retry_uncertain_creation => Repetition::CreatesAnother,
            Effect::User { .. } => Repetition::Forbidden,
        }
    }

    /// What is said of a call that may have created a user.
    fn outcome_unknown(&self, effect: Effect<'_>) -> &'static str {
        if effect.custom_id().is_some() {
            "It is not known whether the service created the user; create them again with the same custom_id to find out"
        } else if self.retry_uncertain_creation {
            "It is not known whether the service created a user, or with several tries several users"
        } else {
            "It is not known whether the service created a user, so the request was not sent again. \
             CommunicationIdentityClientOptions::retry_uncertain_creation retries anyway, which can create a second user"
        }
    }
}

/// What a call does to the resource.
#[derive(Clone, Copy)]
enum Effect<'a> {
    /// The same however often it is executed.
    Repeatable,
    /// It creates a user.
    User { custom_id: Option<&'a str> },
}

impl<'a> Effect<'a> {
    fn custom_id(self) -> Option<&'a str> {
        match self {
            Self::Repeatable => None,
            Self::User { custom_id } => custom_id,
        }
    }
}

/// Gives the call its id. Core would too, but only after building an error, with a backtrace where those are on, for the
/// header that is missing.
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
