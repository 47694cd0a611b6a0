//! What a try came to, as core's retry policy is to see it, and as the caller will.

use super::{OverlongBody, buffered, next_policy};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        Context, RawResponse, Request, StatusCode,
        policies::{Policy, PolicyResult},
    },
};
use std::{fmt, sync::Arc};

/// In a call's [`Context`], says that its request creates a user.
pub(crate) struct Creation {
    /// Whether it must not be executed twice.
    pub(crate) at_most_once: bool,
}

/// Packs the failure of a try into a [`TryFailure`], which keeps it whole on the way through the retry policy, and ends
/// the retries of a creation that must not be executed twice as soon as it may have been executed once.
///
/// The service has nothing by which it would recognise a repeated creation, and it lists no identities, so one that was
/// created by a try whose answer was lost could never be found again. Such a try is repeated only if it was certainly not
/// executed: no connection was established (`ErrorKind::Connection`), or the service turned it away (429, 503). Whatever
/// else a retry policy would act on becomes an error of a kind that stops core's, and a caller's own.
///
/// Stands before all other policies of a try.
#[derive(Debug)]
pub(crate) struct OutcomePolicy;

#[async_trait::async_trait]
impl Policy for OutcomePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let creation = ctx.value::<Creation>();
        let at_most_once = creation.is_some_and(|creation| creation.at_most_once);
        let (policy, next) = next_policy(next)?;
        match policy.send(ctx, request, next).await {
            Ok(response) if at_most_once && may_have_been_executed(response.status()) => {
                let response = buffered(response).await?;
                Err(Error::new(ErrorKind::Other, TryFailure::Ambiguous(response)))
            }
            Ok(response) => Ok(response),
            // The retry policy decides by the kind.
            Err(error) => Err(match creation {
                Some(creation) if is_interruption(&error) => {
                    let kind = if creation.at_most_once {
                        ErrorKind::Other
                    } else {
                        error.kind().clone()
                    };
                    Error::new(kind, TryFailure::Interrupted(error))
                }
                _ => Error::new(error.kind().clone(), TryFailure::Failed(error)),
            }),
        }
    }
}

/// Whether an answer with this status leaves open what the service did.
pub(crate) fn may_have_been_executed(status: StatusCode) -> bool {
    status == StatusCode::RequestTimeout || (status.is_server_error() && status != StatusCode::ServiceUnavailable)
}

/// Whether an error comes from a request that was sent and not answered as it should be.
fn is_interruption(error: &Error) -> bool {
    *error.kind() == ErrorKind::Io || error.downcast_ref::<OverlongBody>().is_some()
}

/// How a try failed.
#[derive(Debug)]
pub(crate) enum TryFailure {
    /// It raised an error.
    Failed(Error),
    /// It was to create a user and may have been executed: no whole answer came back.
    Interrupted(Error),
    /// It was to create a user, may have been executed, and must not be repeated: the answer does not tell.
    Ambiguous(RawResponse),
}

/// What core's retry policy calls an error that it gives up on.
const RETRY_TEXTS: [&str; 2] = [
    "non-transport error occurred which will not be retried",
    "retry policy expired and the request will no longer be retried",
];

impl TryFailure {
    /// Takes the failure out of an error on its way from the try to the caller, and with it the texts that policies of
    /// the caller have put around it, the outermost first. The retry policy's own text, which would hide the failure, is
    /// left out.
    ///
    /// An error that holds no such failure, as one of a policy that runs once per call, is given back as it is.
    pub(crate) fn take(mut error: Error) -> Result<(Self, Vec<String>)> {
        if !holds_failure(&error) {
            return Err(error);
        }
        let mut contexts = Vec::new();
        loop {
            match error.into_downcast() {
                Ok(failure) => return Ok((failure, contexts)),
                Err(wrapper) => {
                    let context = wrapper.to_string();
                    if !RETRY_TEXTS.contains(&context.as_str()) {
                        contexts.push(context);
                    }
                    error = wrapper.into_downcast()?;
                }
            }
        }
    }
}

/// Whether there is a [`TryFailure`] in an error, or in the errors of azure_core that it wraps.
fn holds_failure(mut error: &Error) -> bool {
    loop {
        if error.downcast_ref::<TryFailure>().is_some() {
            return true;
        }
        match error.downcast_ref() {
            Some(inner) => error = inner,
            None => return false,
        }
    }
}

impl fmt::Display for TryFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) | Self::Interrupted(error) => error.fmt(f),
            Self::Ambiguous(response) => write!(f, "status {}", response.status()),
        }
    }
}

impl std::error::Error for TryFailure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed(error) | Self::Interrupted(error) => Some(error),
            Self::Ambiguous(_) => None,
        }
    }
}
