//! Azure Communication Services, and what callers learn of its failures.

use crate::{
    error::ApiError,
    metrics::Metrics,
    policy::Grant,
    service_limits::{QueueFull, WINDOW},
};
use axum::http::StatusCode;
use azure_communication_identity::{
    CommunicationAccessToken, CommunicationError, CommunicationErrorCode, CommunicationIdentityClient,
    CommunicationUserIdentifier, TeamsUserTokenRequest, creation_outcome_unknown,
    models::CommunicationIdentityClientGetTokenOptions,
};
use azure_core::{Error, error::ErrorKind};
use std::{error::Error as StdError, iter::successors, sync::Arc, time::Duration};
use tracing::warn;

/// The identity client. Its errors go to the log with what support asks for, and without ids of users.
#[derive(Clone, Debug)]
pub(crate) struct Acs {
    client: CommunicationIdentityClient,
    metrics: Arc<Metrics>,
}

/// A creation that failed.
pub(crate) struct CreationFailed {
    pub(crate) error: ApiError,
    /// Set if an identity may have been created all the same.
    pub(crate) outcome_unknown: bool,
}

impl Acs {
    pub(crate) fn new(client: CommunicationIdentityClient, metrics: Arc<Metrics>) -> Self {
        Self { client, metrics }
    }

    pub(crate) async fn create(&self) -> Result<CommunicationUserIdentifier, CreationFailed> {
        let response = self.client.create_user(None).await;
        let response = response.map_err(|error| CreationFailed {
            outcome_unknown: creation_outcome_unknown(&error),
            error: self.failed("create", &error),
        })?;
        let user = response.into_model().map_err(|error| CreationFailed {
            outcome_unknown: true,
            error: self.failed("create", &error),
        })?;
        self.metrics.acs("create", "ok");
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
        let token = response.and_then(azure_core::http::Response::into_model);
        let token = token.map_err(|error| self.failed_for_identity("issue", &error))?;
        self.metrics.acs("issue", "ok");
        Ok(token)
    }

    /// Revokes all tokens of the identity.
    pub(crate) async fn revoke(&self, identity: &CommunicationUserIdentifier) -> Result<(), ApiError> {
        let response = self.client.revoke_tokens(identity, None).await;
        response.map_err(|error| self.failed_for_identity("revoke", &error))?;
        self.metrics.acs("revoke", "ok");
        Ok(())
    }

    /// Deletes the identity. It is no error if the resource does not have it.
    pub(crate) async fn delete(&self, identity: &CommunicationUserIdentifier) -> Result<(), ApiError> {
        match self.client.delete_user(identity, None).await {
            Ok(_) => {
                self.metrics.acs("delete", "ok");
                Ok(())
            }
            Err(error) if is_gone(&error) => {
                self.metrics.acs("delete", "gone");
                warn!("an identity that was to be deleted is none of this resource's, or no longer");
                Ok(())
            }
            Err(error) => Err(self.failed("delete", &error)),
        }
    }

    pub(crate) async fn exchange(&self, request: TeamsUserTokenRequest) -> Result<CommunicationAccessToken, ApiError> {
        let response = self.client.get_token_for_teams_user(request, None).await;
        match response.and_then(azure_core::http::Response::into_model) {
            Ok(token) => {
                self.metrics.acs("exchange", "ok");
                Ok(token)
            }
            Err(error) => {
                let answer = self.failed("exchange", &error);
                Err(if is_teams_token_refused(&error) {
                    ApiError::teams_token_refused()
                } else {
                    answer
                })
            }
        }
    }

    /// As [`failed`](Self::failed), for an operation that takes an identity which may be gone.
    fn failed_for_identity(&self, operation: &'static str, error: &Error) -> ApiError {
        let answer = self.failed(operation, error);
        if is_gone(error) {
            ApiError::identity_gone()
        } else {
            answer
        }
    }

    /// Logs a failure, counts it, and says what callers are told.
    fn failed(&self, operation: &'static str, error: &Error) -> ApiError {
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
        let asked = refusal.retry_after.and_then(|wait| Duration::try_from(wait).ok());
        match status {
            429 => {
                let message = "Azure Communication Services asks for fewer requests: try again later";
                ApiError::new(StatusCode::TOO_MANY_REQUESTS, "service_busy", message)
                    .retry_after(asked.unwrap_or(WINDOW))
            }
            408 | 500.. => {
                let message = "Azure Communication Services is in trouble: try again later";
                ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "acs_unavailable", message)
                    .retry_after(asked.unwrap_or(Duration::from_secs(5)))
            }
            _ => {
                let message = "Azure Communication Services refused this service's request: its log says more";
                ApiError::new(StatusCode::BAD_GATEWAY, "acs_refused", message)
            }
        }
    }
}

/// Returns whether the service says that the resource does not have the identity: a 404 without a code comes from something
/// else, such as a proxy. The service documents the code for another resource's identities; what it answers for
/// deleted ones is not documented.
fn is_gone(error: &Error) -> bool {
    CommunicationError::from_error(error).is_some_and(|refusal| {
        let not_found = u16::from(refusal.status) == 404 && refusal.code.is_some();
        not_found || refusal.error_code() == Some(CommunicationErrorCode::IdentityNotOwned)
    })
}

/// Returns whether the Teams user's token was refused, or the application that it is for.
fn is_teams_token_refused(error: &Error) -> bool {
    CommunicationError::from_error(error).is_some_and(|refusal| match refusal.error_code() {
        Some(CommunicationErrorCode::InvalidAccessToken) => true,
        _ if u16::from(refusal.status) == 403 => true,
        Some(CommunicationErrorCode::ValidationError) => refusal.target.as_deref() == Some("appId"),
        _ => false,
    })
}

/// The innermost error's text. The outer ones can show the URL, which has the user's id.
fn root_cause(error: &Error) -> String {
    match error.kind() {
        ErrorKind::Credential => "no token for this service could be acquired".to_owned(),
        _ => chain(error).last().map(ToString::to_string).unwrap_or_default(),
    }
}

fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(error), |error| (**error).source())
}
