//! Calls to Azure Communication Services, and the responses for their failures.

use crate::{
    error::ApiError,
    metrics::Metrics,
    policy::Grant,
    resource::{ResourceId, endpoint_name},
    service_limits::{QueueFull, WINDOW},
};
use axum::http::StatusCode;
use azure_communication_identity::{
    CommunicationAccessToken, CommunicationError, CommunicationErrorCode, CommunicationIdentityClient,
    CommunicationUserIdentifier, ExchangedAccessToken, TeamsExtensionAssignment, TeamsExtensionAssignmentId,
    TeamsExtensionPrincipal, TeamsUserTokenRequest, creation_outcome_unknown,
    models::CommunicationIdentityClientGetTokenOptions,
};
use azure_core::{Error, credentials::Secret, error::ErrorKind};
use client_core::error::chain;
use std::{error::Error as StdError, sync::Arc, time::Duration};
use tokio::{sync::OnceCell, time::timeout};
use tracing::{error, warn};

/// The limit for the creation of an identity that shows the resource.
const PROBE_TIMEOUT: Duration = Duration::from_secs(30);

/// The error code for an Entra token without a permission.
const MISSING_PERMISSION: &str = "Forbidden";

/// The identity client. It logs failures with the ids that Azure support asks for, and without ids of users.
#[derive(Clone, Debug)]
pub(crate) struct Acs {
    client: CommunicationIdentityClient,
    metrics: Arc<Metrics>,
    /// The resource of the client. Its endpoint does not say which one it is, and each of its identities does.
    resource: Arc<OnceCell<ResourceId>>,
}

/// A failed creation of an identity.
pub(crate) struct CreationFailed {
    pub(crate) error: ApiError,
    /// Set if an identity may have been created.
    pub(crate) outcome_unknown: bool,
}

impl Acs {
    pub(crate) fn new(client: CommunicationIdentityClient, metrics: Arc<Metrics>) -> Self {
        Self {
            client,
            metrics,
            resource: Arc::default(),
        }
    }

    /// Returns the endpoint of the resource, without a query.
    pub(crate) fn endpoint(&self) -> String {
        endpoint_name(self.client.endpoint())
    }

    /// Sets the resource of the client, unless an identity has shown it.
    pub(crate) fn assume_resource(&self, resource: ResourceId) {
        // An error means that it is known.
        self.resource.set(resource).ok();
    }

    /// Returns the resource of the client. If no identity has shown it yet, this creates one and deletes it.
    pub(crate) async fn resource(&self) -> Result<&ResourceId, ApiError> {
        let created = async {
            let identity = self.create(PROBE_TIMEOUT).await.map_err(|failed| failed.error)?;
            self.delete_created(&identity).await;
            Ok(ResourceId::of(&identity))
        };
        self.resource.get_or_try_init(async || created.await).await
    }

    /// Deletes an identity that no user will have. A failure leaves it in the resource.
    pub(crate) async fn delete_created(&self, identity: &CommunicationUserIdentifier) {
        match self.client.delete_user(identity, None).await {
            Ok(_) => self.metrics.acs("delete", "ok"),
            Err(error) => {
                self.failure("delete", &error);
                self.metrics.given_up(1);
                warn!("an identity without a user, a token or data stays in the resource");
            }
        }
    }

    /// Creates an identity within a limit. What waited in the queue of this service alone leaves no outcome unknown.
    pub(crate) async fn create(&self, limit: Duration) -> Result<CommunicationUserIdentifier, CreationFailed> {
        let response = timeout(limit, self.client.create_user(None)).await;
        let response = response.map_err(|_| CreationFailed {
            outcome_unknown: true,
            error: ApiError::timeout(),
        })?;
        let response = response.map_err(|error| CreationFailed {
            outcome_unknown: creation_outcome_unknown(&error),
            error: self.failure("create", &error),
        })?;
        let user = response.into_model().map_err(|error| CreationFailed {
            outcome_unknown: true,
            error: self.failure("create", &error),
        })?;
        self.metrics.acs("create", "ok");
        self.assume_resource(ResourceId::of(&user));
        Ok(user)
    }

    pub(crate) async fn issue(
        &self,
        identity: &CommunicationUserIdentifier,
        grant: &Grant,
    ) -> Result<CommunicationAccessToken, ApiError> {
        let options = CommunicationIdentityClientGetTokenOptions {
            token_expires_in: Some(grant.lifetime()),
            ..Default::default()
        };
        let response = self.client.get_token(identity, grant.scopes(), Some(options)).await;
        match response.and_then(azure_core::http::Response::into_model) {
            Ok(token) => {
                self.metrics.acs("issue", "ok");
                Ok(token)
            }
            Err(error) => Err(self.failure_of_identity("issue", identity, &error).await),
        }
    }

    /// Revokes all tokens of an identity.
    pub(crate) async fn revoke(&self, identity: &CommunicationUserIdentifier) -> Result<(), ApiError> {
        match self.client.revoke_tokens(identity, None).await {
            Ok(_) => {
                self.metrics.acs("revoke", "ok");
                Ok(())
            }
            Err(error) => Err(self.failure_of_identity("revoke", identity, &error).await),
        }
    }

    /// Deletes an identity. An identity that the resource does not have counts as deleted.
    pub(crate) async fn delete(&self, identity: &CommunicationUserIdentifier) -> Result<(), ApiError> {
        let Err(error) = self.client.delete_user(identity, None).await else {
            self.metrics.acs("delete", "ok");
            return Ok(());
        };
        let failure = self.failure_of_identity("delete", identity, &error).await;
        if failure.is_identity_gone() {
            return Ok(());
        }
        Err(failure)
    }

    /// Exchanges a Teams user's Entra token.
    pub(crate) async fn exchange(&self, request: TeamsUserTokenRequest) -> Result<CommunicationAccessToken, ApiError> {
        let response = self.client.get_token_for_teams_user(request, None).await;
        match response.and_then(azure_core::http::Response::into_model) {
            Ok(token) => {
                self.metrics.acs("exchange", "ok");
                Ok(token)
            }
            Err(error) => {
                let failure = self.failure("exchange", &error);
                if is_teams_token_refused(&error) {
                    return Err(ApiError::teams_token_refused());
                }
                let status = CommunicationError::from_error(&error).map(|refusal| u16::from(refusal.status));
                if matches!(status, Some(401 | 403)) {
                    error!(
                        "the exchange of a Teams user's token was refused to this service: check the key or the role of acs.*"
                    );
                }
                Err(failure)
            }
        }
    }

    /// Gets an assignment of Teams Phone.
    pub(crate) async fn assignment(
        &self,
        id: &TeamsExtensionAssignmentId,
    ) -> Result<TeamsExtensionAssignment, ApiError> {
        const OPERATION: &str = "get_assignment";
        let response = self.client.get_teams_extension_assignment(id, None).await;
        match response.and_then(azure_core::http::Response::into_model) {
            Ok(assignment) => {
                self.metrics.acs(OPERATION, "ok");
                Ok(assignment)
            }
            Err(error) if is_unknown(&error) => {
                self.metrics.acs(OPERATION, "gone");
                Err(ApiError::no_assignment())
            }
            Err(error) => Err(self.failure(OPERATION, &error)),
        }
    }

    /// Creates or replaces an assignment of Teams Phone. Returns whether it is new, too.
    pub(crate) async fn put_assignment(
        &self,
        id: &TeamsExtensionAssignmentId,
        principal: &TeamsExtensionPrincipal,
    ) -> Result<(TeamsExtensionAssignment, bool), ApiError> {
        const OPERATION: &str = "put_assignment";
        let put = self
            .client
            .create_or_replace_teams_extension_assignment(id, principal, None);
        let put = async {
            let response = put.await?;
            let is_new = response.status() == azure_core::http::StatusCode::Created;
            Ok((response.into_model()?, is_new))
        };
        match put.await {
            Ok(assignment) => {
                self.metrics.acs(OPERATION, "ok");
                Ok(assignment)
            }
            Err(error) => Err(self.failure(OPERATION, &error)),
        }
    }

    /// Deletes an assignment of Teams Phone, which revokes the tokens of its principal. One that does not exist counts as
    /// deleted.
    pub(crate) async fn delete_assignment(&self, id: &TeamsExtensionAssignmentId) -> Result<(), ApiError> {
        const OPERATION: &str = "delete_assignment";
        let Err(error) = self.client.delete_teams_extension_assignment(id, None).await else {
            self.metrics.acs(OPERATION, "ok");
            return Ok(());
        };
        if is_unknown(&error) {
            self.metrics.acs(OPERATION, "gone");
            return Ok(());
        }
        Err(self.failure(OPERATION, &error))
    }

    /// Exchanges a Teams user's Entra token for a token of Teams Phone. The Entra token authenticates the exchange.
    pub(crate) async fn exchange_for_phone(&self, token: Secret) -> Result<ExchangedAccessToken, ApiError> {
        if self.client.endpoint().scheme() != "https" {
            error!(
                "Teams Phone needs an endpoint of https, as Entra tokens must not travel in plain text: correct acs.*"
            );
            return Err(ApiError::acs_refused());
        }
        let response = self.client.get_token_for_teams_extension_user(token, None).await;
        match response.and_then(azure_core::http::Response::into_model) {
            Ok(exchanged) => {
                self.metrics.acs("exchange_phone", "ok");
                Ok(exchanged)
            }
            Err(error) => {
                let failure = self.failure("exchange_phone", &error);
                let refusal = CommunicationError::from_error(&error);
                Err(match refusal.map(|refusal| u16::from(refusal.status)) {
                    Some(401) => ApiError::phone_token_refused(),
                    Some(403) => ApiError::teams_phone_refused(),
                    _ => failure,
                })
            }
        }
    }

    /// Logs and counts the failure of an operation on an identity, which may be gone. The service has one code for deleted
    /// identities and for those of other resources.
    async fn failure_of_identity(
        &self,
        operation: &'static str,
        identity: &CommunicationUserIdentifier,
        error: &Error,
    ) -> ApiError {
        if !is_unknown(error) {
            return self.failure(operation, error);
        }
        match self.resource().await {
            Ok(resource) if *resource == ResourceId::of(identity) => {
                self.metrics.acs(operation, "gone");
                warn!(operation, "an identity of a user no longer exists in the resource");
                ApiError::identity_gone()
            }
            Ok(resource) => {
                self.metrics.acs(operation, "other_resource");
                error!(
                    configured = %resource,
                    identity = %ResourceId::of(identity),
                    "an identity is of another resource than the configured one: correct acs.* or database.url"
                );
                ApiError::other_resource()
            }
            Err(failure) => failure,
        }
    }

    /// Logs and counts a failure, and returns the response for it.
    fn failure(&self, operation: &'static str, error: &Error) -> ApiError {
        if chain(error).any(<dyn StdError>::is::<QueueFull>) {
            self.metrics.acs(operation, "queue_full");
            let message = "too many requests wait for Azure Communication Services: try again later";
            return ApiError::new(StatusCode::TOO_MANY_REQUESTS, "service_busy", message)
                .retry_after(QueueFull::RETRY_AFTER);
        }
        let Some(refusal) = CommunicationError::from_error(error) else {
            self.metrics.acs(operation, "no_answer");
            warn!(
                operation,
                cause = root_cause(error),
                "Azure Communication Services gave no answer"
            );
            let message = "Azure Communication Services cannot be reached: try again later";
            return ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "acs_unavailable", message)
                .retry_after(Duration::from_secs(5));
        };
        let status = u16::from(refusal.status);
        self.metrics
            .acs(operation, if status == 429 { "throttled" } else { "refused" });
        warn!(
            operation,
            status,
            code = refusal.code,
            client_request_id = refusal.client_request_id,
            correlation_vector = refusal.correlation_vector,
            "Azure Communication Services refused a request"
        );
        let retry_after = refusal.retry_after.and_then(|wait| Duration::try_from(wait).ok());
        match status {
            429 => {
                let message = "Azure Communication Services asks for fewer requests: try again later";
                ApiError::new(StatusCode::TOO_MANY_REQUESTS, "service_busy", message)
                    .retry_after(retry_after.unwrap_or(WINDOW))
            }
            408 | 500.. => {
                let message = "Azure Communication Services is in trouble: try again later";
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "acs_unavailable", message)
                    .retry_after(retry_after.unwrap_or(Duration::from_secs(5)))
            }
            _ => ApiError::acs_refused(),
        }
    }
}

/// Returns whether the service says that the resource does not have the identity. A 404 without a code comes from another
/// server, such as a proxy. The service documents the code for another resource's identities, and none for deleted ones.
fn is_unknown(error: &Error) -> bool {
    CommunicationError::from_error(error).is_some_and(|refusal| {
        let not_found = u16::from(refusal.status) == 404 && refusal.code.is_some();
        not_found || refusal.error_code() == Some(CommunicationErrorCode::IdentityNotOwned)
    })
}

/// Returns whether the service refused the Teams user's token or its application, by the error's code. A 403 without the code
/// for a missing permission can be about the credential of this service.
fn is_teams_token_refused(error: &Error) -> bool {
    CommunicationError::from_error(error).is_some_and(|refusal| match refusal.error_code() {
        Some(CommunicationErrorCode::InvalidAccessToken) => true,
        Some(CommunicationErrorCode::ValidationError) => refusal.target.as_deref() == Some("appId"),
        Some(code) => u16::from(refusal.status) == 403 && code.as_str() == MISSING_PERMISSION,
        None => false,
    })
}

/// Returns the innermost error's message. The outer ones can show the URL with the identity.
fn root_cause(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Credential => "no token for this service could be acquired".to_owned(),
        _ => chain(error).last().map(ToString::to_string).unwrap_or_default(),
    }
}
