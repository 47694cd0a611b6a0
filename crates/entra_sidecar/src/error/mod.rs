//! Failures of the client's operations.

mod problem;

pub(crate) use client_core::error::invalid_argument;
pub use problem::ProblemDetails;

use crate::claims::ClaimsChallenge;
use azure_core::{Error, error::ErrorKind, http::StatusCode, time::Duration};
use client_core::error::find;
use std::{borrow::Cow, fmt};

/// A failed operation of a [`SidecarClient`](crate::SidecarClient).
///
/// It is the source of every [`azure_core::Error`] that an operation returns, unless an argument was refused before anything
/// was sent. [`SidecarError::from_error`] finds it there.
///
/// Its `Display` is one line with the failure and the remedy. `Display` and `Debug` omit the `detail` of the sidecar's
/// problem, which can name people and tenants; [`problem`](Self::problem) has it.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// # let (sidecar, client, caller) = start().await?;
/// use entra_sidecar::{SidecarError, SidecarErrorKind};
///
/// let error = client.authorization_header("NotConfigured", &caller, None).await.unwrap_err();
/// let failure = SidecarError::from_error(&error).expect("the request was sent");
/// assert_eq!(failure.kind(), SidecarErrorKind::BadRequest);
/// assert!(failure.problem().is_some_and(|problem| problem.detail.is_some()));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SidecarError {
    pub(crate) kind: SidecarErrorKind,
    pub(crate) status: Option<StatusCode>,
    pub(crate) problem: Option<ProblemDetails>,
    pub(crate) claims_challenge: Option<ClaimsChallenge>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) may_have_been_executed: bool,
    pub(crate) text: Cow<'static, str>,
    /// The error of a policy. Other sources are left out, as they can show the query of the request.
    pub(crate) source: Option<Error>,
}

impl SidecarError {
    /// Creates a failure. The text must not hold anything secret.
    pub(crate) fn new(kind: SidecarErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            status: None,
            problem: None,
            claims_challenge: None,
            retry_after: None,
            may_have_been_executed: false,
            text: text.into(),
            source: None,
        }
    }

    /// Finds the failure in an error, also in one that has been wrapped with more context, such as that of a client whose
    /// credential is a [`SidecarCredential`](crate::SidecarCredential).
    ///
    /// # Arguments
    ///
    /// * `error` - An error.
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        find(error)
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> SidecarErrorKind {
        self.kind
    }

    /// Returns the status of the response, which is the sidecar's or a gateway's; `None` without a response.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// Returns the problem in the sidecar's response. Do not show its `detail` to end users.
    #[must_use]
    pub fn problem(&self) -> Option<&ProblemDetails> {
        self.problem.as_ref()
    }

    /// Returns the claims, as JSON, of a claims challenge to the caller: Entra ID gives a token after the caller's client has
    /// signed the user in again with these claims. [`HandlerError`](crate::web::HandlerError) hands them on.
    ///
    /// They are read from the `WWW-Authenticate` header of a 401. The sidecar's source, at commit dfeab823, sends none.
    #[must_use]
    pub fn claims_challenge(&self) -> Option<&str> {
        self.claims_challenge.as_ref().map(ClaimsChallenge::as_json)
    }

    /// Returns the wait that the response asks for before the next request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns whether the downstream API may have executed a request that was sent once.
    ///
    /// These are the calls of downstream APIs that a retry could execute twice, such as one that sends a mail. For all other
    /// operations it is `false`. It is `true` if the request was sent and
    ///
    /// * no whole response came back in time;
    /// * the response is a 5xx, a 408 or a 303. All others below 500 mean that the request was refused;
    /// * the response is a success that cannot be read;
    /// * a policy of the client's options failed after the response.
    ///
    /// Of a transport's errors, only the kind `Connection` means that nothing was sent.
    #[must_use]
    pub fn may_have_been_executed(&self) -> bool {
        self.may_have_been_executed
    }

    /// Returns the error of an operation.
    pub(crate) fn into_error(self, kind: ErrorKind) -> Error {
        Error::new(kind, self)
    }
}

impl fmt::Display for SidecarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.may_have_been_executed {
            f.write_str("; it is not known whether the downstream API got the request, which was not sent again")?;
        }
        Ok(())
    }
}

impl std::error::Error for SidecarError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_ref()?;
        Some(source)
    }
}

/// Creates the error of a success whose body is not the sidecar's.
pub(crate) fn unexpected_response(fault: &str) -> Error {
    Error::with_message(ErrorKind::DataConversion, format!("the sidecar's response {fault}"))
}

/// The kind of a [`SidecarError`].
///
/// The first three are the caller's failures; the others are those of the sidecar, its configuration and the way to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SidecarErrorKind {
    /// The sidecar refused the caller's token: it has expired, is for another API, or is malformed. (A 401 with a challenge
    /// and without a body.)
    CallerTokenRejected,
    /// Entra ID gave no token until the user consents, proves their identity again, or signs in again. (A 401 with a problem
    /// that names one of Entra ID's errors of this kind, or with a claims challenge.)
    InteractionRequired,
    /// The caller's token lacks the scope that the sidecar requires in `validate`. (A 403 with a body.)
    MissingScope,
    /// Entra ID gave no token, for a reason that the user cannot remove, such as a wrong client secret. (A 401 with another
    /// problem.)
    AcquisitionFailed,
    /// The sidecar refused the request: the API is not configured or has no scopes, a parameter or the host name is not
    /// accepted, or the request is too long. (400, 413, 414, 431.)
    BadRequest,
    /// The sidecar accepts callers on its own machine only. (A 403 without a body, or on another route than `validate`'s.)
    Forbidden,
    /// The route exists, but does not accept this verb. (405.)
    WrongMethod,
    /// The sidecar failed, or the way from it to the downstream API. (500.)
    SidecarFailed,
    /// The sidecar could not be reached, did not respond in time, or was busy. (No response, 408, 429, 502, 503, 504.)
    Unavailable,
    /// The response is not one of the sidecar's: check the base URL, and any proxy in between.
    Protocol,
    /// The sidecar returned a token for something else, because its configuration does not let a request choose.
    UnexpectedToken,
    /// A policy or a transport of the client's options failed for a reason that this library does not know. The source of
    /// the [`SidecarError`] is its error.
    PolicyFailed,
}
