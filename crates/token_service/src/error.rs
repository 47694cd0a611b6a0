//! Error responses.

use crate::{store::StoreError, user::UserIdError};
use axum::{
    Json,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::{IntoResponse, Response},
};
use entra_sidecar::web::HandlerError;
use serde::Serialize;
use std::{borrow::Cow, time::Duration};
use token_guard::GuardError;
use tracing::{Span, error};
use utoipa::ToSchema;

/// A failure as callers see it: a status, a reason for programs and a message for people.
///
/// It contains no secret and nothing of another user, as concurrent requests can share it.
#[derive(Clone, Debug)]
pub(crate) struct ApiError {
    status: StatusCode,
    reason: &'static str,
    message: Cow<'static, str>,
    retry_after: Option<Duration>,
    challenge: Option<HeaderValue>,
}

/// The body of a failure, as in Microsoft's authentication sample.
#[derive(Serialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    /// The status of the response.
    #[schema(example = 404)]
    code: u16,
    /// The kind of the failure, for programs.
    #[schema(example = "no_identity")]
    reason: &'static str,
    /// The failure and its remedy, for people.
    message: Cow<'static, str>,
}

impl ApiError {
    pub(crate) fn new(status: StatusCode, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self {
            status,
            reason,
            message: message.into(),
            retry_after: None,
            challenge: None,
        }
    }

    /// Sets `Retry-After`, which is rounded up to whole seconds.
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// Returns the reason, for programs.
    pub(crate) fn reason(&self) -> &'static str {
        self.reason
    }

    /// Returns the failure and its remedy, for people.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Returns whether this service or one of its dependencies failed, rather than the caller.
    pub(crate) fn is_upstream(&self) -> bool {
        self.status.is_server_error() || self.status == StatusCode::TOO_MANY_REQUESTS
    }

    pub(crate) fn bad_request(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message)
    }

    pub(crate) fn no_identity() -> Self {
        let message = "the user has no Azure Communication Services identity: POST /api/user creates one";
        Self::new(StatusCode::NOT_FOUND, "no_identity", message)
    }

    pub(crate) fn no_user() -> Self {
        let message = "there is no such user: an id is an issuer, a space and a subject or, for Entra ID, a tenant, a space and \
                       an object; or it is an identity, such as 8:acs:…";
        Self::new(StatusCode::NOT_FOUND, "no_user", message)
    }

    pub(crate) fn no_assignment() -> Self {
        let message = "the principal has no assignment of Teams Phone: PUT creates one";
        Self::new(StatusCode::NOT_FOUND, "no_assignment", message)
    }

    pub(crate) fn identity_gone() -> Self {
        let message = "the user's identity no longer exists in this Azure Communication Services resource: \
                       DELETE /api/user, then POST /api/user gives them another one";
        Self::new(StatusCode::CONFLICT, "identity_gone", message)
    }

    /// Returns whether the failure is [`identity_gone`](Self::identity_gone).
    pub(crate) fn is_identity_gone(&self) -> bool {
        self.reason == "identity_gone"
    }

    pub(crate) fn other_resource() -> Self {
        let message = "this service runs with another Azure Communication Services resource than that of the user's identity, \
                       which its operator must correct: try again later";
        Self::new(StatusCode::BAD_GATEWAY, "other_resource", message)
    }

    pub(crate) fn acs_refused() -> Self {
        let message = "Azure Communication Services refused this service's request: its log says more";
        Self::new(StatusCode::BAD_GATEWAY, "acs_refused", message)
    }

    pub(crate) fn teams_token_refused() -> Self {
        let message = "the Teams user's Entra token was refused: get another one with Teams.ManageCalls and \
                       Teams.ManageChats, for the application of this service";
        Self::new(StatusCode::FORBIDDEN, "teams_token_refused", message)
    }

    pub(crate) fn phone_token_refused() -> Self {
        let message = "the Teams user's Entra token was refused: get another one with TeamsExtension.ManageCalls";
        Self::new(StatusCode::FORBIDDEN, "teams_token_refused", message)
    }

    pub(crate) fn teams_phone_refused() -> Self {
        let message = "the user is not admitted to Teams Phone: their Entra token needs TeamsExtension.ManageCalls, and an \
                       administrator must assign the user, with the token's application, to the resource of this service";
        Self::new(StatusCode::FORBIDDEN, "teams_phone_refused", message)
    }

    /// `wait` is the time until another request may create the identity.
    pub(crate) fn signing_in(wait: Duration) -> Self {
        let message = "an earlier request is creating the user's identity, or has stopped half-way: try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "signing_in", message).retry_after(wait)
    }

    pub(crate) fn timeout() -> Self {
        let message = "the request took too long: try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "timeout", message).retry_after(Duration::from_secs(5))
    }

    pub(crate) fn internal() -> Self {
        let message = "something went wrong in this service: its log has the request's x-request-id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }
}

/// Logs the failure of the database.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        error!(%error, "the database failed");
        let message = "the database of this service is in trouble: try again later";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "database", message).retry_after(Duration::from_secs(5))
    }
}

impl From<UserIdError> for ApiError {
    fn from(error: UserIdError) -> Self {
        let message = error.to_string();
        match error {
            UserIdError::NotEntraUser => Self::new(StatusCode::FORBIDDEN, "not_an_entra_user", message),
            UserIdError::Invalid => Self::new(StatusCode::FORBIDDEN, "bad_user_name", message),
        }
    }
}

impl From<GuardError> for ApiError {
    fn from(error: GuardError) -> Self {
        let response: http::Response<String> = error.to_response();
        let retry_after = match &error {
            GuardError::KeysUnavailable(unavailable) => Some(unavailable.retry_after()),
            _ => None,
        };
        Self {
            status: error.status(),
            reason: error.code(),
            message: error.to_string().into(),
            retry_after,
            challenge: response.headers().get(WWW_AUTHENTICATE).cloned(),
        }
    }
}

impl From<HandlerError> for ApiError {
    fn from(error: HandlerError) -> Self {
        let headers = error.headers();
        let header = |name| {
            headers
                .iter()
                .find(|(header, _)| *header == name)
                .map(|(_, value)| value.as_str())
        };
        Self {
            status: StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_GATEWAY),
            reason: error.code(),
            message: error.to_string().into(),
            retry_after: header("retry-after")
                .and_then(|seconds| seconds.parse().ok())
                .or((error.status() == 503).then_some(5))
                .map(Duration::from_secs),
            challenge: header("www-authenticate").and_then(|challenge| challenge.parse().ok()),
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        Span::current().record("reason", self.reason);
        let body = ErrorBody {
            code: self.status.as_u16(),
            reason: self.reason,
            message: self.message,
        };
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            headers.insert(RETRY_AFTER, seconds.max(1).into());
        }
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}
