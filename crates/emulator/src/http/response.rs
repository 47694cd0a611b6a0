//! The responses of the service: JSON where an operation succeeds, and errors.

use crate::{http::rate_limits::LimitExceeded, resource::NotIssued, storage::NotPersisted, tokens::AccessToken};
use aws_lc_rs::error::Unspecified;
use axum::{
    body::{Body, Bytes},
    response::{IntoResponse, Response},
};
use http::{
    HeaderValue, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::{BodyExt, Full};
use hyper::body::Frame;
use serde::Serialize;
use std::{borrow::Cow, fmt::Display};

/// The id of the identity in a response, for requests whose path does not name it. It is an extension of the response.
#[derive(Clone)]
pub(super) struct ResponseIdentity(pub(super) String);

/// An identity, of which the service returns the id alone.
#[derive(Serialize)]
pub(crate) struct Identity {
    pub(crate) id: String,
}

/// An identity, and its token if the request asks for one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentityAndToken {
    pub(super) identity: Identity,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) access_token: Option<AccessToken>,
}

/// A status and a JSON body, with the content length and charset that errors lack.
pub(crate) struct JsonResponse<T>(pub(crate) StatusCode, pub(crate) T);

impl<T: Serialize> IntoResponse for JsonResponse<T> {
    fn into_response(self) -> Response {
        let Self(status, value) = self;
        match serde_json::to_vec(&value) {
            Ok(json) => (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], json).into_response(),
            Err(error) => ServiceError::internal().because(&error).into_response(),
        }
    }
}

/// An error response of the form `{"error":{"code","message","target"}}`.
#[derive(Debug)]
pub(crate) struct ServiceError {
    status: StatusCode,
    body: ErrorBody,
    reason: Option<String>,
    retry_after: Option<i64>,
    lists_versions: bool,
}

#[derive(Debug, Serialize)]
struct ErrorBody {
    code: Cow<'static, str>,
    message: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'static str>,
}

/// The parts of an error that the layers around an operation need. It is an extension of the response.
#[derive(Clone, Debug, Default)]
pub(crate) struct Refusal {
    /// Absent for the page of a gateway.
    pub(crate) code: Option<Cow<'static, str>>,
    /// The reason, for the log, where the response does not say it.
    pub(crate) reason: Option<String>,
    /// True if the response lists the supported api-versions.
    pub(super) lists_versions: bool,
}

impl ServiceError {
    pub(crate) fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            body: ErrorBody {
                code: code.into(),
                message: message.into(),
                target: None,
            },
            reason: None,
            retry_after: None,
            lists_versions: true,
        }
    }

    /// Adds a reason that is logged, but not part of the response.
    pub(crate) fn because(self, reason: &(impl Display + ?Sized)) -> Self {
        Self {
            reason: Some(reason.to_string()),
            ..self
        }
    }

    /// Adds such a reason, after the part of the request that is at fault.
    pub(super) fn because_of(self, part: &str, reason: impl Display) -> Self {
        self.because(&format_args!("{part}: {reason}"))
    }

    /// Adds the reason to the message of a 401 response.
    pub(super) fn explained(mut self) -> Self {
        if let (StatusCode::UNAUTHORIZED, Some(reason)) = (self.status, &self.reason) {
            self.body.message = format!("{} {reason}", self.body.message).into();
        }
        self
    }

    /// Adds `Retry-After`, in seconds.
    fn retry_after(self, seconds: i64) -> Self {
        Self {
            retry_after: Some(seconds),
            ..self
        }
    }

    /// A value that an operation refuses.
    pub(super) fn validation(target: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, "ValidationError", message);
        error.body.target = Some(target);
        error
    }

    /// A missing field, which model binding refuses before the operation begins.
    pub(super) fn required(field: &'static str) -> Self {
        let message = format!("{field}: The {field} field is required.");
        Self::validation(field, message).without_versions()
    }

    pub(super) fn denied() -> Self {
        Self::denied_with("Denied by the resource provider.")
    }

    pub(super) fn denied_with(message: &'static str) -> Self {
        Self::unauthorized("Denied", message)
    }

    pub(super) fn identity_not_owned() -> Self {
        Self::unauthorized("IdentityNotOwned", "Provided identity doesn't belong to the resource.")
    }

    pub(super) fn invalid_access_token() -> Self {
        Self::unauthorized("InvalidAccessToken", "Provided access token is not valid.")
    }

    pub(super) fn forbidden(message: &'static str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).without_versions()
    }

    pub(super) fn assignment_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "There is no such assignment.")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NotFound", "There is no such resource.")
    }

    pub(crate) fn method_not_allowed() -> Self {
        let message = "The resource does not support this method.";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
    }

    pub(crate) fn internal() -> Self {
        let message = "The request could not be processed.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError", message)
    }

    /// Leaves the list of supported versions out of the response, as the service does where authorization or model
    /// binding refuses a request.
    pub(super) fn without_versions(self) -> Self {
        Self {
            lists_versions: false,
            ..self
        }
    }

    fn unauthorized(code: &'static str, message: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code, message).without_versions()
    }
}

impl From<Unspecified> for ServiceError {
    /// The token key could not be generated, or could not sign. The cryptographic library gives no reason.
    fn from(_: Unspecified) -> Self {
        Self::internal().because("the token could not be signed")
    }
}

impl From<NotPersisted> for ServiceError {
    fn from(NotPersisted: NotPersisted) -> Self {
        Self::internal().because("the change cannot be written to the data file; start the emulator again")
    }
}

impl From<NotIssued> for ServiceError {
    fn from(error: NotIssued) -> Self {
        match error {
            NotIssued::NotSigned(error) => error.into(),
            NotIssued::NotPersisted(error) => error.into(),
        }
    }
}

impl From<LimitExceeded> for ServiceError {
    fn from(LimitExceeded { retry_after }: LimitExceeded) -> Self {
        let message = format!("There are too many requests of this kind. Retry after {retry_after} seconds.");
        Self::new(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message).retry_after(retry_after)
    }
}

impl IntoResponse for ServiceError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope<'a> {
            error: &'a ErrorBody,
        }

        let json = serde_json::to_vec(&Envelope { error: &self.body }).unwrap_or_default();
        // The service sends its errors in chunks. So does hyper, as the length of a mapped body is not known.
        let body = Full::new(Bytes::from(json)).map_frame(|frame: Frame<Bytes>| frame);
        let mut response = Response::new(Body::new(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.extend(self.retry_after.map(|seconds| (RETRY_AFTER, seconds.into())));
        response.extensions_mut().insert(Refusal {
            code: Some(self.body.code),
            reason: self.reason,
            lists_versions: self.lists_versions,
        });
        response
    }
}
