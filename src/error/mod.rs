//! Failures of the service.

mod body;
mod code;
mod display;
mod outcome_unknown;

pub use body::CommunicationErrorDetail;
pub(crate) use body::{excerpt, service_error};
pub(crate) use client_core::error::invalid_argument;
pub use code::CommunicationErrorCode;
pub(crate) use outcome_unknown::OutcomeUnknown;
pub use outcome_unknown::{creation_outcome_unknown, with_creation_outcome_unknown};

use crate::constants::CORRELATION_VECTOR;
use azure_core::{
    Error,
    error::ErrorKind,
    http::{RawResponse, StatusCode, headers::ERROR_CODE},
    time::Duration,
};
use client_core::{
    error::find,
    headers::{header, retry_after},
};

/// A failure in the service's response, or in that of a gateway in front of it.
///
/// It is the source of every [`azure_core::Error`] of kind [`HttpResponse`](ErrorKind::HttpResponse) that this crate
/// returns, and [`CommunicationError::from_error`] finds it there. Its `Display` is one line with the service's error, the
/// remedy, and the IDs by which Azure support finds the request.
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
///
/// A fake in your unit test returns one:
///
/// ```
/// use azure_communication_identity::{CommunicationError, CommunicationErrorCode};
/// use azure_core::http::StatusCode;
///
/// let mut error = CommunicationError::new(StatusCode::Unauthorized);
/// error.code = Some("IdentityNotOwned".to_owned());
/// let error = azure_core::Error::from(error);
///
/// assert_eq!(error.http_status(), Some(StatusCode::Unauthorized));
/// let found = CommunicationError::from_error(&error).and_then(CommunicationError::error_code);
/// assert_eq!(found, Some(CommunicationErrorCode::IdentityNotOwned));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CommunicationError {
    /// The status of the HTTP response.
    pub status: StatusCode,
    /// The service's error code, as received; [`error_code`](Self::error_code) names the known ones. `None` if the body
    /// is not the service's own, or has no code.
    pub code: Option<String>,
    /// The service's message.
    pub message: Option<String>,
    /// The subject of the error, such as the property of the request that was refused.
    pub target: Option<String>,
    /// Further errors that led to this one.
    pub details: Vec<CommunicationErrorDetail>,
    /// A more specific error.
    pub inner_error: Option<Box<CommunicationErrorDetail>>,
    /// The wait that the service asks for before the next request. A date is measured from the response's own `Date`.
    pub retry_after: Option<Duration>,
    /// The `x-ms-client-request-id` that the request carried; it is the same for all attempts of one call.
    pub client_request_id: Option<String>,
    /// The `MS-CV` of the response: the ID that [Azure support asks for][support].
    ///
    /// [support]: https://learn.microsoft.com/azure/communication-services/concepts/troubleshooting-info
    pub correlation_vector: Option<String>,
    /// The beginning of a body that is not an error of the service, such as a gateway's HTML page or half of a response, on
    /// one line. All that could be a key, a token or a signature is masked.
    pub body_excerpt: Option<String>,
    /// The remedy: what to check or change, where there is more to say than the service did.
    pub remedy: Option<String>,
    /// A user may exist although their creation failed; see [`creation_outcome_unknown`].
    pub outcome_unknown: bool,
}

impl CommunicationError {
    /// Creates a failure with nothing but a status, for your unit tests. Set its other fields, and convert it into the
    /// [`azure_core::Error`] that operations return.
    ///
    /// # Arguments
    ///
    /// * `status` - The status of the HTTP response.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        Self {
            status,
            code: None,
            message: None,
            target: None,
            details: Vec::new(),
            inner_error: None,
            retry_after: None,
            client_request_id: None,
            correlation_vector: None,
            body_excerpt: None,
            remedy: None,
            outcome_unknown: false,
        }
    }

    /// Finds the failure in an error, also in one that has been wrapped with more context.
    ///
    /// # Arguments
    ///
    /// * `error` - An error returned by this crate.
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        find(error)
    }

    /// Returns the service's error code, as one of those that this crate knows.
    #[must_use]
    pub fn error_code(&self) -> Option<CommunicationErrorCode> {
        self.code.as_deref().map(Into::into)
    }

    /// Reads a response that is not the expected success.
    pub(crate) fn from_response(response: &RawResponse) -> Self {
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
        Self {
            code,
            message: error.message,
            target: error.target,
            details: error.details,
            inner_error: error.inner_error,
            retry_after: retry_after(headers),
            correlation_vector: header(headers, &CORRELATION_VECTOR).map(str::to_owned),
            body_excerpt,
            ..Self::new(status)
        }
    }

    pub(crate) fn into_error(self, raw_response: Option<Box<RawResponse>>) -> Error {
        let kind = ErrorKind::HttpResponse {
            status: self.status,
            error_code: self.code.clone(),
            raw_response,
        };
        Error::new(kind, self)
    }
}

impl From<CommunicationError> for Error {
    /// Creates an error of kind [`HttpResponse`](ErrorKind::HttpResponse), whose source is the failure.
    fn from(error: CommunicationError) -> Self {
        error.into_error(None)
    }
}

impl std::error::Error for CommunicationError {}
