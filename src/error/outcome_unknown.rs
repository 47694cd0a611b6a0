//! Errors after which a user may exist.

use super::CommunicationError;
use azure_core::Error;
use client_core::error::find;
use std::fmt;

/// Returns whether a user may exist although [`create_user`][create] or [`create_user_and_token`][both] failed.
///
/// It is `true` when the request may have been executed: it was sent, and no whole response came back in time, or one that
/// leaves the outcome open. Such a request is not sent again, unless [`retry_uncertain_creation`][retry] allows it; then any
/// of the attempts may have been executed. When it is `false`, the operation created no user. An error of `into_model` is
/// different: there the user was created.
///
/// These responses mean that the request was not executed; all others leave it open:
///
/// * a 4xx other than 408, which refuses a request before it is executed ([RFC 9110, section 15.5][rfc]);
/// * a 503 with the service's own error in its body: a gateway's 503 can follow a request that was executed;
/// * a redirection other than 303, which asks for another request first.
///
/// Of a transport's errors, only the kind `Connection` means that nothing was sent.
///
/// A future that is dropped, as by `tokio::time::timeout`, reports nothing. To bound a creation, use the client's option
/// [`timeout`](crate::CommunicationIdentityClientOptions::timeout).
///
/// [rfc]: https://www.rfc-editor.org/rfc/rfc9110#section-15.5
/// [create]: crate::CommunicationIdentityClient::create_user
/// [both]: crate::CommunicationIdentityClient::create_user_and_token
/// [retry]: crate::CommunicationIdentityClientOptions::retry_uncertain_creation
///
/// # Arguments
///
/// * `error` - An error of one of the two operations; it may have been wrapped with more context.
///
/// # Examples
///
/// ```
/// # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/doctest.rs"));
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Outcome {
/// # let (emulator, client) = start().await?;
/// use azure_communication_identity::creation_outcome_unknown;
///
/// match client.create_user(None).await {
///     Ok(response) => println!("{}", response.into_model()?),
///     Err(error) if creation_outcome_unknown(&error) => println!("there may be a user whose id is lost: {error}"),
///     Err(error) => println!("no user was created: {error}"),
/// }
/// # Ok(()) }
/// ```
#[must_use]
pub fn creation_outcome_unknown(error: &Error) -> bool {
    CommunicationError::from_error(error).is_some_and(|error| error.outcome_unknown)
        || find::<OutcomeUnknown>(error).is_some()
}

/// Marks an error as one after which a user may exist, for the fakes in your unit tests.
///
/// Its kind and text stay, and [`creation_outcome_unknown`] returns `true` for it. For an error of kind `HttpResponse`, set
/// [`CommunicationError::outcome_unknown`] instead.
///
/// # Arguments
///
/// * `error` - The error, such as one of kind `Io`.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{creation_outcome_unknown, with_creation_outcome_unknown};
/// use azure_core::error::{Error, ErrorKind};
///
/// let error = with_creation_outcome_unknown(Error::with_message(ErrorKind::Io, "the connection was reset"));
/// assert!(creation_outcome_unknown(&error));
/// ```
#[must_use]
pub fn with_creation_outcome_unknown(error: Error) -> Error {
    let (kind, text) = (error.kind().clone(), error.to_string());
    Error::with_error(kind, OutcomeUnknown(error), text)
}

/// Marks an error after which a user may exist.
#[derive(Debug)]
pub(crate) struct OutcomeUnknown(Error);

impl OutcomeUnknown {
    /// Marks an error, and adds that to its text. Its kind stays.
    pub(crate) fn wrap(error: Error, text: &str) -> Error {
        let (kind, text) = (error.kind().clone(), format!("{error}. {text}"));
        Error::with_error(kind, Self(error), text)
    }
}

impl fmt::Display for OutcomeUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for OutcomeUnknown {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}
