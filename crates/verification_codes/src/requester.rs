//! Callers of the API, and the limit on their requests.

use crate::{
    code::CodeHasher,
    problem::Problem,
    table::{Attempt, CodeTable, Quota},
};
use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::request::Parts,
    response::{IntoResponse, Response},
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};
use time::OffsetDateTime;
use token_guard::{GuardError, TokenGuard};

/// A caller who requests or enters a code.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Requester {
    /// The subject of a user's token.
    User(String),
    /// The address of a caller without a token, in an open API.
    Address(IpAddr),
}

impl Requester {
    /// Returns the user that codes are issued to, if the caller is known.
    pub(crate) fn subject(&self) -> Option<&str> {
        match self {
            Self::User(subject) => Some(subject),
            Self::Address(_) => None,
        }
    }
}

/// The response to a caller who may not request codes.
#[derive(Debug)]
pub(crate) enum Refusal {
    Guard(GuardError),
    NotAUser,
}

impl From<GuardError> for Refusal {
    fn from(error: GuardError) -> Self {
        Self::Guard(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Guard(error) => error.into_response(),
            Self::NotAUser => Problem::NotAUser.into_response(),
        }
    }
}

/// Checks the caller's token, unless the API has no guard. Refuses applications, as a code is a user's second factor.
impl<S> FromRequestParts<S> for Requester
where
    Option<TokenGuard>: FromRef<S>,
    S: Sync,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        if let Some(guard) = <Option<TokenGuard>>::from_ref(state) {
            let caller = guard.authenticate(&parts.headers).await?;
            if caller.is_application() {
                return Err(Refusal::NotAUser);
            }
            return Ok(Self::User(caller.subject().to_owned()));
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
        Ok(Self::Address(address))
    }
}

/// The operations whose attempts are counted, each for itself.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Operation {
    Issue,
    Verify,
}

/// A limit on the attempts of each requester, which all APIs of a table share.
#[derive(Clone)]
pub(crate) struct AttemptLimit {
    pub(crate) table: Arc<dyn CodeTable>,
    pub(crate) hasher: CodeHasher,
    pub(crate) quota: Quota,
}

impl AttemptLimit {
    /// Counts an attempt, and returns its time by the table's clock.
    ///
    /// # Errors
    ///
    /// [`Problem::TooManyAttempts`] beyond the limit. [`Problem::Unavailable`] if the table is unavailable, as an attempt that is
    /// not counted could be one of many.
    pub(crate) async fn check(&self, operation: Operation, requester: &Requester) -> Result<OffsetDateTime, Problem> {
        let operation = match operation {
            Operation::Issue => "issue",
            Operation::Verify => "verify",
        };
        let caller = match requester {
            Requester::User(subject) => self.hasher.hash_caller(operation, &format!("user {subject}")),
            Requester::Address(address) => self.hasher.hash_caller(operation, &format!("address {address}")),
        };
        let now = self.table.now().await?;
        match self.table.attempt(&caller, self.quota, now).await? {
            Attempt::Granted => Ok(now),
            Attempt::Refused { wait } => Err(Problem::TooManyAttempts { wait }),
        }
    }
}
