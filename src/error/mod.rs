//! What went wrong, in the service's words and with what can be done about it.

mod body;
mod code;
mod creation;
mod display;
mod remedy;

pub use body::CommunicationErrorDetail;
pub(crate) use body::excerpt;
pub use code::CommunicationErrorCode;
pub(crate) use creation::OutcomeUnknown;
pub use creation::{UserWithoutToken, creation_outcome_unknown};
pub(crate) use remedy::{Authentication, Failure};

use crate::service::CORRELATION_VECTOR;
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        RawResponse, StatusCode,
        headers::{ERROR_CODE, HeaderName, Headers, RETRY_AFTER, RETRY_AFTER_MS, X_MS_RETRY_AFTER_MS},
        policies::get_retry_after,
    },
    time::{Duration, OffsetDateTime},
};
use std::{borrow::Cow, convert::Infallible};

/// A failure that the service answered, or that something in front of it answered in its place.
///
/// It is the source of every [`azure_core::Error`] of kind [`HttpResponse`](ErrorKind::HttpResponse) that this crate
/// returns, and [`CommunicationError::from_error`] finds it there. Its `Display` is one line that says what the service
/// answered, what to check, and by which ids Azure support finds the request.
///
/// The shape is that of the service's [error response][rest].
///
/// [rest]: https://learn.microsoft.com/rest/api/communication/errorcodes
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// # let (emulator, client) = start().await?;
/// # let user = "8:acs:11111111-1111-1111-1111-111111111111_00000006-19e0-2727-80f5-8b3a0d003502".parse()?;
/// use azure_communication_identity::{CommunicationError, CommunicationErrorCode};
///
/// match client.delete_user(&user, None).await {
///     Ok(_) => println!("deleted"),
///     Err(error) => match CommunicationError::from_error(&error).and_then(CommunicationError::error_code) {
///         Some(CommunicationErrorCode::IdentityNotOwned) => println!("not a user of this resource"),
///         _ => return Err(error.into()),
///     },
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CommunicationError {
    /// The status of the HTTP response.
    pub status: StatusCode,
    /// The service's error code, as it came; [`error_code`](Self::error_code) names the known ones. `None` if the body
    /// is not the service's own, or has no code.
    pub code: Option<String>,
    /// The service's message.
    pub message: Option<String>,
    /// What the error is about, such as the property of the request that was refused.
    pub target: Option<String>,
    /// Further errors that led to this one.
    pub details: Vec<CommunicationErrorDetail>,
    /// A more specific error.
    pub inner_error: Option<Box<CommunicationErrorDetail>>,
    /// How long the service asks to wait before the next request.
    pub retry_after: Option<Duration>,
    /// The `x-ms-client-request-id` that the request carried; it is the same for all tries of one call.
    pub client_request_id: Option<String>,
    /// The `MS-CV` of the answer: the id that [Azure support asks for][support].
    ///
    /// [support]: https://learn.microsoft.com/azure/communication-services/concepts/troubleshooting-info
    pub correlation_vector: Option<String>,
    /// The beginning of a body that is not the service's own, such as a gateway's HTML page, on one line, with
    /// everything masked that could be a key, a token or a signature.
    pub body_excerpt: Option<String>,
    /// What to check or change, where there is more to say than the service did.
    pub remedy: Option<String>,
    /// See [`creation_outcome_unknown`].
    outcome_unknown: bool,
}

impl CommunicationError {
    /// Finds the service's failure in an error, also in one that has been wrapped with more context.
    ///
    /// # Arguments
    ///
    /// * `error` - An error returned by this crate.
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        find(error)
    }

    /// The service's error code, as one of those that this crate knows.
    #[must_use]
    pub fn error_code(&self) -> Option<CommunicationErrorCode> {
        self.code.as_deref().map(Into::into)
    }

    /// Turns a response that is no success into an error.
    pub(crate) fn from_response(response: RawResponse, failure: &Failure<'_>) -> Error {
        let status = response.status();
        let headers = response.headers();
        let error = body::parse(response.body());
        let body_excerpt = if error.is_none() && !status.is_success() {
            excerpt(response.body())
        } else {
            None
        };
        let error = error.unwrap_or_default();
        let code = error.code.or_else(|| header(headers, &ERROR_CODE).map(str::to_owned));
        let mut communication_error = Self {
            status,
            code,
            message: error.message,
            target: error.target,
            details: error.details,
            inner_error: error.inner_error,
            retry_after: retry_after(headers),
            client_request_id: failure.client_request_id.map(str::to_owned),
            correlation_vector: header(headers, &CORRELATION_VECTOR).map(str::to_owned),
            body_excerpt,
            remedy: None,
            outcome_unknown: failure.outcome_unknown.is_some(),
        };
        communication_error.remedy = remedy::remedy(&communication_error, headers, failure);
        let kind = ErrorKind::HttpResponse {
            status,
            error_code: communication_error.code.clone(),
            raw_response: Some(Box::new(response)),
        };
        Error::new(kind, communication_error)
    }
}

impl std::error::Error for CommunicationError {}

/// Finds an error of a type in an error and its sources.
fn find<T: std::error::Error + 'static>(error: &Error) -> Option<&T> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        cause = error.source();
    }
    None
}

/// A header that may be missing. `Headers::get_optional_str` would build an error, backtrace included, for a miss.
pub(crate) fn header<'a>(headers: &'a Headers, name: &HeaderName) -> Option<&'a str> {
    headers
        .get_optional_with(name, |value| Ok::<_, Infallible>(value.as_str()))
        .ok()
        .flatten()
}

/// How long an answer asks to wait before the next request, as core reads it; never a negative time.
pub(crate) fn retry_after(headers: &Headers) -> Option<Duration> {
    let wait = get_retry_after(
        headers,
        OffsetDateTime::now_utc,
        &[X_MS_RETRY_AFTER_MS, RETRY_AFTER_MS, RETRY_AFTER],
    );
    wait.map(|wait| wait.max(Duration::ZERO))
}

/// The message of the service's error in a body, if there is one.
pub(crate) fn message_of(body: &[u8]) -> Option<String> {
    body::parse(body)?.message
}

/// An argument that is refused before anything is sent. The text says what to pass instead, and never what was passed.
pub(crate) fn invalid_argument(text: impl Into<Cow<'static, str>>) -> Error {
    Error::with_message(ErrorKind::Other, text)
}
