//! What a try came to, as core's retry policy is to see it, and as the caller will.

use super::{buffered, next_policy};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    http::{
        Context, RawResponse, Request, StatusCode,
        policies::{Policy, PolicyResult},
    },
};
use std::{fmt, sync::Arc};

/// In a call's [`Context`], asks that its request be executed at most once.
pub(crate) struct AtMostOnce;

/// Packs the failure of a try into a [`TryFailure`], which keeps it whole on the way through the retry policy, and ends
/// the retries of a request that must not be executed twice as soon as it may have been executed once.
///
/// The service has nothing by which it would recognise a repeated creation, and it lists no identities, so one that was
/// made by a try whose answer was lost could never be found again. Such a try is repeated only if it was certainly not
/// executed: the connection was not made (`ErrorKind::Connection`), or the service turned it away (429, 503). Whatever
/// else a retry policy would act on becomes an error of a kind that stops core's, and a caller's own.
///
/// Stands before all other policies of a try.
#[derive(Debug)]
pub(crate) struct OutcomePolicy;

#[async_trait::async_trait]
impl Policy for OutcomePolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        let at_most_once = ctx.value::<AtMostOnce>().is_some();
        let (policy, next) = next_policy(next)?;
        match policy.send(ctx, request, next).await {
            Ok(response) if at_most_once && may_have_been_executed(response.status()) => {
                Err(TryFailure::Ambiguous(buffered(response).await?).into())
            }
            Ok(response) => Ok(response),
            Err(error) if at_most_once && matches!(error.kind(), ErrorKind::Io | ErrorKind::DataConversion) => {
                Err(TryFailure::Interrupted(error).into())
            }
            Err(error) => Err(TryFailure::Failed(error).into()),
        }
    }
}

/// Whether an answer with this status leaves open what the service did.
fn may_have_been_executed(status: StatusCode) -> bool {
    status == StatusCode::RequestTimeout || (status.is_server_error() && status != StatusCode::ServiceUnavailable)
}

/// How a try failed.
#[derive(Debug)]
pub(crate) enum TryFailure {
    /// It raised an error.
    Failed(Error),
    /// It was sent, may have been executed, and must not be repeated: no whole answer came back, or one that is not the
    /// service's.
    Interrupted(Error),
    /// It may have been executed and must not be repeated: the answer does not tell.
    Ambiguous(RawResponse),
}

impl TryFailure {
    /// Takes the failure out of an error that came through the retry policy, which may have wrapped it once.
    ///
    /// Any other error, such as one of a caller's policy that runs once per call, is given back as it is.
    pub(crate) fn take(error: Error) -> Result<Self> {
        let is_wrapped = error
            .downcast_ref::<Error>()
            .is_some_and(|inner| inner.downcast_ref::<Self>().is_some());
        let error = if is_wrapped { error.into_downcast()? } else { error };
        error.into_downcast()
    }
}

impl From<TryFailure> for Error {
    fn from(failure: TryFailure) -> Self {
        let kind = match &failure {
            // The retry policy decides by the kind.
            TryFailure::Failed(error) => error.kind().clone(),
            TryFailure::Interrupted(_) | TryFailure::Ambiguous(_) => ErrorKind::Other,
        };
        Self::new(kind, failure)
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

impl std::error::Error for TryFailure {}
