//! What went wrong.

mod answered;
mod downstream;
mod interaction;
mod kind;
mod problem;

pub(crate) use answered::{Failure, retry_after};
pub use downstream::DownstreamError;
pub use kind::SidecarErrorKind;
pub use problem::ProblemDetails;

use azure_core::{Error, error::ErrorKind, http::StatusCode, time::Duration};
use std::{borrow::Cow, fmt};

/// A call of the sidecar that failed.
///
/// It is the source of every [`azure_core::Error`] that this crate returns, except where an argument is refused before
/// anything is sent, and [`SidecarError::from_error`] finds it there.
///
/// Its `Display` is one line that says what happened and what to check. Neither it nor `Debug` has the `detail` of the
/// sidecar's problem, which can name people and tenants: [`problem`](Self::problem) has.
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
/// let failure = SidecarError::from_error(&error).expect("the sidecar answered");
/// assert_eq!(failure.kind(), SidecarErrorKind::BadRequest);
/// assert!(failure.problem().is_some_and(|problem| problem.detail.is_some()));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct SidecarError {
    kind: SidecarErrorKind,
    status: Option<StatusCode>,
    problem: Option<ProblemDetails>,
    retry_after: Option<Duration>,
    may_have_been_executed: bool,
    text: Cow<'static, str>,
}

impl SidecarError {
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

    /// What kind of failure it is.
    #[must_use]
    pub fn kind(&self) -> SidecarErrorKind {
        self.kind
    }

    /// The status that the sidecar answered, or something in front of it.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.status
    }

    /// The sidecar's own account of the failure. Keep its `detail` from end users.
    #[must_use]
    pub fn problem(&self) -> Option<&ProblemDetails> {
        self.problem.as_ref()
    }

    /// How long the sidecar asks to wait before the next request.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Whether a request whose repetition would do more, such as one that sends a mail, may have reached the downstream
    /// API all the same. It was sent once.
    #[must_use]
    pub fn may_have_been_executed(&self) -> bool {
        self.may_have_been_executed
    }

    /// A failure of a kind, told by a text that can be shown to anybody.
    pub(crate) fn new(kind: SidecarErrorKind, text: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            status: None,
            problem: None,
            retry_after: None,
            may_have_been_executed: false,
            text: text.into(),
        }
    }

    /// Notes that the downstream API may have been reached.
    pub(crate) fn possibly_executed(mut self, possibly: bool) -> Self {
        self.may_have_been_executed = possibly;
        self
    }

    /// The error to return.
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

impl std::error::Error for SidecarError {}

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

/// An argument that is refused before anything is sent. The text says what to pass instead, and never what was passed.
pub(crate) fn invalid_argument(text: impl Into<Cow<'static, str>>) -> Error {
    Error::with_message(ErrorKind::Other, text)
}
