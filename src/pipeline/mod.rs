//! The way of a request to the service and back.

mod check;
mod no_answer;
mod turns;

use crate::{
    auth::{Clock, Credential, UserToken},
    client::CommunicationIdentityClientOptions,
    error::{Authentication, CommunicationError, Failure, OutcomeUnknown, header, invalid_argument},
    policies::{Call, OutcomePolicy, Repetition, ResponseBodyPolicy, TryFailure, buffered},
    runtime,
};
use azure_core::{
    Error, Result, Uuid,
    credentials::Secret,
    http::{
        Context, Pipeline, PipelineStreamOptions, RawResponse, Request, StatusCode,
        headers::{CLIENT_REQUEST_ID, MS_DATE},
        request::options::ClientRequestId,
    },
    sleep,
    time::Duration,
};
use futures::future::{Either, select};
use no_answer::{described, timed_out};
use std::{pin::pin, sync::Arc};
use turns::Turns;

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
            // The signature comes last, because it is wrong for a request that is changed after it.
            vec![
                Arc::new(outcome),
                Arc::new(ResponseBodyPolicy),
                Arc::new(credential.into_policy()),
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
    pub(crate) async fn send(
        &self,
        context: &Context<'_>,
        request: Request,
        success: &[StatusCode],
    ) -> Result<RawResponse> {
        self.exchange(context.to_borrowed(), request, Repetition::Harmless, None, success)
            .await
    }

    /// Sends a request in the name of a user, who proves it with an Entra token.
    pub(crate) async fn send_for_user(
        &self,
        context: &Context<'_>,
        request: Request,
        token: Secret,
    ) -> Result<RawResponse> {
        if request.url().scheme() != "https" {
            return Err(invalid_argument(
                "an Entra token must not travel in plain text: create the client with an https endpoint",
            ));
        }
        let context = context.to_borrowed().with_value(UserToken(token));
        self.exchange(context, request, Repetition::Harmless, None, &[StatusCode::Ok])
            .await
    }

    /// Sends a request that creates a user: it is executed at most once, unless the client's options say otherwise.
    ///
    /// Requests for one custom id are sent one after another: when they ran at the same time, the service has been seen to
    /// create several users, and to refuse the custom id from then on (Azure/azure-sdk-for-js#38531).
    ///
    /// The preview versions of the service answer 200 for a user that there is already.
    pub(crate) async fn create(
        &self,
        context: &Context<'_>,
        request: Request,
        custom_id: Option<&str>,
    ) -> Result<RawResponse> {
        let repetition = if self.retry_uncertain_creation {
            Repetition::CreatesAnother
        } else {
            Repetition::Forbidden
        };
        let success = &[StatusCode::Created, StatusCode::Ok];
        self.exchange(context.to_borrowed(), request, repetition, custom_id, success)
            .await
    }

    /// Runs the pipeline, and says in the caller's terms how it failed.
    ///
    /// Core is to check no status, because it loses the error's code when the message holds an escape, and to read no
    /// body, because it would read one of any length.
    async fn exchange(
        &self,
        mut context: Context<'_>,
        mut request: Request,
        repetition: Repetition,
        custom_id: Option<&str>,
        success: &[StatusCode],
    ) -> Result<RawResponse> {
        let deadline = self.timeout.and_then(|timeout| self.clock.now().checked_add(timeout));
        let call = Arc::new(Call::new(repetition, deadline));
        context.insert(Arc::clone(&call));
        set_request_id(&context, &mut request);

        let options = PipelineStreamOptions {
            skip_checks: true,
            ..Default::default()
        };
        let exchanged = within(self.timeout, async {
            let _turn = match custom_id {
                Some(id) => Some(self.custom_ids.take(id).await),
                None => None,
            };
            buffered(self.pipeline.stream(&context, &mut request, Some(options)).await?).await
        });
        let error = match exchanged.await {
            Ok(Ok(response)) if success.contains(&response.status()) => return Ok(response),
            Ok(Ok(response)) => return Err(self.refused(response, &context, &request, &call)),
            Ok(Err(error)) => error,
            Err(timeout) => {
                let error = timed_out(timeout, &request, &call.take_last_failure());
                return Err(self.uncertain(error, &call));
            }
        };
        let (failure, contexts) = TryFailure::take(error)?;
        let error = match failure {
            TryFailure::Failed(error) => self.uncertain(described(error, &request), &call),
            TryFailure::Final(response) => self.refused(response, &context, &request, &call),
        };
        Err(contexts.into_iter().rev().fold(error, Error::with_context))
    }

    /// The error that a response with another status than success is.
    fn refused(&self, response: RawResponse, context: &Context<'_>, request: &Request, call: &Call) -> Error {
        let authentication = match context.value::<UserToken>() {
            Some(_) => Authentication::UserToken,
            None => self.authentication,
        };
        CommunicationError::from_response(
            response,
            &Failure {
                authentication,
                client_request_id: header(request.headers(), &CLIENT_REQUEST_ID),
                signed_date: header(request.headers(), &MS_DATE),
                outcome_unknown: call.may_have_created_user().then(|| self.outcome_unknown()),
            },
        )
    }

    /// Says of an error that a user may exist all the same, if that is so.
    fn uncertain(&self, error: Error, call: &Call) -> Error {
        if call.may_have_created_user() {
            OutcomeUnknown::wrap(error, self.outcome_unknown())
        } else {
            error
        }
    }

    /// What is said of a creation that may have been executed.
    fn outcome_unknown(&self) -> &'static str {
        if self.retry_uncertain_creation {
            "It is not known whether the service created a user, or with several tries several users"
        } else {
            "It is not known whether the service created a user, so the request was not sent again. \
             CommunicationIdentityClientOptions::retry_uncertain_creation retries anyway, which can create a second user"
        }
    }
}

/// Waits for a future, but no longer than `timeout`, which is the error then. Without an async runtime there is no telling
/// when that is.
async fn within<F: Future>(timeout: Option<Duration>, future: F) -> std::result::Result<F::Output, Duration> {
    let Some(timeout) = timeout.filter(|_| runtime::is_available()) else {
        return Ok(future.await);
    };
    match select(pin!(future), pin!(sleep(timeout))).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(_) => Err(timeout),
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
