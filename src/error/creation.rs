//! Errors of a creation that may have made a user.

use super::{CommunicationError, find};
use crate::identifier::CommunicationUserIdentifier;
use azure_core::Error;
use std::fmt;

/// Returns whether a user may exist although [`create_user`][create] or [`create_user_and_token`][both] failed.
///
/// It is `true` when the request may have been executed: it was sent and no whole answer came back in time, or the answer
/// leaves it open, as any 5xx does but a 503 with the service's own error. Such a request is not sent again, unless
/// [`retry_uncertain_creation`][retry] says so; then any of the attempts may have been executed. When it is `false`, the
/// operation created no user. An error of `into_model` is different: there the user was created.
///
/// It rests on three things: a transport uses the kind `Connection` only for errors after which nothing was sent; a 4xx
/// refuses a request before it is executed; and a 503 that holds the service's own error is the service's.
///
/// [create]: crate::CommunicationIdentityClient::create_user
/// [both]: crate::CommunicationIdentityClient::create_user_and_token
/// [retry]: crate::CommunicationIdentityClientOptions::retry_uncertain_creation
///
/// # Arguments
///
/// * `error` - An error returned by one of the two operations; it may have been wrapped with more context.
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

/// Marks an error after which a user may exist.
#[derive(Debug)]
pub(crate) struct OutcomeUnknown(Error);

impl OutcomeUnknown {
    /// Adds to an error that a user may exist all the same. Its kind stays.
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

/// The service created a user, but its answer does not hold the token that was asked for.
///
/// The source of the error that [`into_model`](azure_core::http::Response::into_model) returns for such an answer to
/// [`create_user_and_token`][create], so that the user is not lost: ask for a token with
/// [`get_token`](crate::CommunicationIdentityClient::get_token), or delete the user.
///
/// [create]: crate::CommunicationIdentityClient::create_user_and_token
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserWithoutToken {
    /// The user that was created.
    pub user: CommunicationUserIdentifier,
}

impl UserWithoutToken {
    /// Creates an error, as a unit test of your own may need.
    ///
    /// # Arguments
    ///
    /// * `user` - The user that was created.
    #[must_use]
    pub fn new(user: CommunicationUserIdentifier) -> Self {
        Self { user }
    }

    /// Finds the user in an error, also in one that has been wrapped with more context.
    ///
    /// # Arguments
    ///
    /// * `error` - An error returned by this crate.
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        find(error)
    }
}

impl fmt::Display for UserWithoutToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the service created the user {}, but its answer holds no usable token; get one with get_token, or delete \
             the user",
            self.user
        )
    }
}

impl std::error::Error for UserWithoutToken {}
