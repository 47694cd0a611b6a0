//! The way of a request to the service and back.

use crate::{
    auth::{Clock, Credential},
    client::CommunicationIdentityClientOptions,
    error::{Authentication, CommunicationError, Failure, header, invalid_argument},
    policies::{Creation, OutcomePolicy, ResponseBodyPolicy, TryFailure, buffered, may_have_been_executed},
};
use azure_core::{
    Error, Result, Uuid,
    error::ErrorKind,
    http::{
        ClientOptions, Context, Pipeline, PipelineStreamOptions, RawResponse, Request, StatusCode,
        headers::{CLIENT_REQUEST_ID, MS_DATE},
        request::options::ClientRequestId,
    },
};
use std::{error::Error as _, sync::Arc};

/// azure_core's pipeline with this service's policies, and its errors put right.
#[derive(Clone, Debug)]
pub(crate) struct ServicePipeline {
    pipeline: Pipeline,
    authentication: Authentication,
    retry_uncertain_creation: bool,
}

impl ServicePipeline {
    pub(crate) fn new(
        credential: Credential,
        options: &CommunicationIdentityClientOptions,
        clock: Clock,
    ) -> Result<Self> {
        let authentication = credential.authentication();
        let authentication_policy = credential.into_policy(clock, &options.entra_scope);
        let mut client_options = options.client_options.clone();
        check(&client_options)?;
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
        let pipeline = Pipeline::new(
            option_env!("CARGO_PKG_NAME"),
            option_env!("CARGO_PKG_VERSION"),
            client_options,
            Vec::new(),
            // The signature comes last, because it is wrong for a request that is changed after it.
            vec![
                Arc::new(OutcomePolicy),
                Arc::new(ResponseBodyPolicy),
                authentication_policy,
            ],
            None,
        );
        Ok(Self {
            pipeline,
            authentication,
            retry_uncertain_creation: options.retry_uncertain_creation,
        })
    }

    /// Sends a request that may be executed more than once.
    pub(crate) async fn send(
        &self,
        context: &Context<'_>,
        mut request: Request,
        success: StatusCode,
    ) -> Result<RawResponse> {
        let response = self.exchange(context, &mut request).await?;
        if response.status() == success {
            return Ok(response);
        }
        Err(self.refused(response, &request, None))
    }

    /// Sends a request that creates a user: it is executed at most once, unless the client's options say otherwise.
    ///
    /// The preview versions of the service answer 200 for a user that there is already.
    pub(crate) async fn create(&self, context: &Context<'_>, mut request: Request) -> Result<RawResponse> {
        let mut context = context.to_borrowed();
        context.insert(Creation {
            at_most_once: !self.retry_uncertain_creation,
        });
        let response = self.exchange(&context, &mut request).await?;
        match response.status() {
            StatusCode::Created | StatusCode::Ok => Ok(response),
            status => {
                let outcome_unknown = status.is_success() || may_have_been_executed(status);
                Err(self.refused(response, &request, outcome_unknown.then(|| self.outcome_unknown())))
            }
        }
    }

    /// Runs the pipeline, and says in the caller's terms how it failed.
    ///
    /// Core is to check no status, because it loses the error's code when the message holds an escape, and to read no
    /// body, because it would read one of any length.
    async fn exchange(&self, context: &Context<'_>, request: &mut Request) -> Result<RawResponse> {
        set_request_id(context, request);
        let options = PipelineStreamOptions {
            skip_checks: true,
            ..Default::default()
        };
        let error = match self.pipeline.stream(context, request, Some(options)).await {
            Ok(response) => return buffered(response).await,
            Err(error) => error,
        };
        let (failure, contexts) = TryFailure::take(error)?;
        let error = match failure {
            TryFailure::Failed(error) => described(error, request),
            TryFailure::Interrupted(error) => {
                let error = described(error, request);
                let (kind, text) = (error.kind().clone(), format!("{error}. {}", self.outcome_unknown()));
                Error::with_error(kind, TryFailure::Interrupted(error), text)
            }
            TryFailure::Ambiguous(response) => self.refused(response, request, Some(self.outcome_unknown())),
        };
        Err(contexts.into_iter().rev().fold(error, Error::with_context))
    }

    /// The error that a response with another status than success is. `outcome_unknown` is what is to be said if a user
    /// may have been created all the same.
    fn refused(&self, response: RawResponse, request: &Request, outcome_unknown: Option<&'static str>) -> Error {
        CommunicationError::from_response(
            response,
            &Failure {
                authentication: self.authentication,
                client_request_id: header(request.headers(), &CLIENT_REQUEST_ID),
                signed_date: header(request.headers(), &MS_DATE),
                outcome_unknown,
            },
        )
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

/// Refuses options that azure_core would panic over.
fn check(options: &ClientOptions) -> Result<()> {
    if let Some(id) = &options.user_agent.application_id {
        let is_token = id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if id.len() > 24 || !is_token {
            return Err(invalid_argument(
                "application_id has more than 24 characters, or others than letters, digits and !#$%&'*+-.^_`|~",
            ));
        }
    }
    if options.transport.is_none() && cfg!(not(feature = "reqwest")) {
        return Err(invalid_argument(
            "there is no HTTP transport: set client_options.transport, or turn this crate's feature `reqwest` on",
        ));
    }
    Ok(())
}

/// Gives the call its id. Core would too, but only after building an error, with a backtrace where those are on, for the
/// header that is missing.
fn set_request_id(context: &Context<'_>, request: &mut Request) {
    match context.value::<ClientRequestId>() {
        Some(id) => request.add_mandatory_header(id),
        None => request.insert_header(CLIENT_REQUEST_ID, Uuid::new_v4().to_string()),
    }
}

/// Says which request a transport failed on, and why: the reason stands only in the sources of its error.
fn described(error: Error, request: &Request) -> Error {
    if !matches!(error.kind(), ErrorKind::Connection | ErrorKind::Io) {
        return error;
    }
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason = format!("{reason}: {cause}");
        source = cause.source();
    }
    let method = request.method();
    let host = request.url().host_str().unwrap_or_default();
    error.with_context(format!("{method} request to {host} failed: {reason}"))
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
