//! What went wrong, in the service's words and with what can be done about it.

mod body;
mod code;
mod display;
mod remedy;

pub use body::CommunicationErrorDetail;
pub use code::CommunicationErrorCode;
pub(crate) use remedy::{Authentication, Failure};

use crate::{identifier::CommunicationUserIdentifier, service::CORRELATION_VECTOR};
use azure_core::{
    Error,
    error::ErrorKind,
    http::{
        RawResponse, StatusCode,
        headers::{ERROR_CODE, HeaderName, Headers},
    },
};
use std::{borrow::Cow, convert::Infallible, fmt};

/// A failure that the service answered, or that something before it answered in its place.
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
/// # let user = client.create_user(None).await?.into_model()?;
/// # client.delete_user(&user, None).await?;
/// use azure_communication_identity::{CommunicationError, CommunicationErrorCode};
///
/// match client.delete_user(&user, None).await {
///     Ok(_) => println!("deleted"),
///     Err(error) => match CommunicationError::from_error(&error).map(CommunicationError::error_code) {
///         Some(CommunicationErrorCode::IdentityNotOwned) => println!("was deleted before, or is another resource's"),
///         _ => return Err(error.into()),
///     },
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// The `x-ms-client-request-id` that the request carried; it is the same for all tries of one call.
    pub client_request_id: Option<String>,
    /// The `MS-CV` of the answer: the id that [Azure support asks for][support].
    ///
    /// [support]: https://learn.microsoft.com/azure/communication-services/concepts/troubleshooting-info
    pub correlation_vector: Option<String>,
    /// The beginning of a body that is not the service's own, such as a gateway's HTML page, on one line, with
    /// everything masked that could be a key, a token or a signature.
    pub body_excerpt: Option<String>,
    remedy: Option<String>,
}

impl CommunicationError {
    /// Finds the service's failure in an error, also one that has been wrapped with more context.
    ///
    /// # Arguments
    ///
    /// * `error` - An error returned by this crate.
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            if let Some(found) = error.downcast_ref() {
                return Some(found);
            }
            cause = error.source();
        }
        None
    }

    /// The service's error code as one of those known to this crate.
    ///
    /// A missing code is [`CommunicationErrorCode::UnknownValue`] with an empty string.
    #[must_use]
    pub fn error_code(&self) -> CommunicationErrorCode {
        self.code.as_deref().unwrap_or_default().into()
    }

    /// Turns a response that is no success into an error.
    pub(crate) fn from_response(response: RawResponse, failure: &Failure<'_>) -> Error {
        let status = response.status();
        let headers = response.headers();
        let body = body::parse(response.body());
        let error = body.error.unwrap_or_default();
        let code = error.code.or_else(|| header(headers, &ERROR_CODE).map(str::to_owned));
        let mut communication_error = Self {
            status,
            code,
            message: error.message,
            target: error.target,
            details: error.details,
            inner_error: error.inner_error,
            client_request_id: failure.client_request_id.map(str::to_owned),
            correlation_vector: header(headers, &CORRELATION_VECTOR).map(str::to_owned),
            body_excerpt: body.excerpt,
            remedy: None,
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

/// A header that may be missing. `Headers::get_optional_str` would build an error, backtrace included, for a miss.
pub(crate) fn header<'a>(headers: &'a Headers, name: &HeaderName) -> Option<&'a str> {
    headers
        .get_optional_with(name, |value| Ok::<_, Infallible>(value.as_str()))
        .ok()
        .flatten()
}

/// An argument that is refused before anything is sent. The text says what to pass instead, and never what was passed.
pub(crate) fn invalid_argument(text: impl Into<Cow<'static, str>>) -> Error {
    Error::with_message(ErrorKind::Other, text)
}

/// The service made a user, but its answer does not hold the token that was asked for.
///
/// The source of the error that [`into_model`](azure_core::http::Response::into_model) returns for such an answer to
/// [`create_user_and_token`][create], so that the identity is not lost: ask for a token with
/// [`get_token`](crate::CommunicationIdentityClient::get_token), or delete the user.
///
/// [create]: crate::CommunicationIdentityClient::create_user_and_token
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserWithoutToken {
    /// The user that was made.
    pub user: CommunicationUserIdentifier,
}

impl fmt::Display for UserWithoutToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the service made the user {}, but its answer holds no usable token; ask for one with get_token, or \
             delete the user",
            self.user
        )
    }
}

impl std::error::Error for UserWithoutToken {}
