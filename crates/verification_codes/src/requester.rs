//! Callers of the API, and the limit on their requests.

use axum::{
    extract::{ConnectInfo, FromRef, FromRequestParts},
    http::request::Parts,
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    time::Duration,
};
use token_guard::{GuardError, TokenGuard};

/// A caller who requests or enters a code.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Requester {
    /// The subject of a token.
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

/// Checks the caller's token, unless the API has no guard.
impl<S> FromRequestParts<S> for Requester
where
    Option<TokenGuard>: FromRef<S>,
    S: Sync,
{
    type Rejection = GuardError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, GuardError> {
        if let Some(guard) = <Option<TokenGuard>>::from_ref(state) {
            let caller = guard.authenticate(&parts.headers).await?;
            return Ok(Self::User(caller.subject().to_owned()));
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let address = peer.map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.0.ip());
        Ok(Self::Address(address))
    }
}

/// A limit for each requester, within this process.
pub(crate) struct RateLimit<C: Clock = DefaultClock>(
    RateLimiter<Requester, HashMapStateStore<Requester>, C, NoOpMiddleware<C::Instant>>,
);

impl<C: Clock> RateLimit<C> {
    /// Creates a limit of `attempts` per minute, all of which can come at once.
    pub(crate) fn per_minute(attempts: NonZeroU32, clock: C) -> Self {
        Self(RateLimiter::hashmap_with_clock(Quota::per_minute(attempts), clock))
    }

    /// Counts an attempt. Beyond the limit, the error is the time to wait.
    pub(crate) fn check(&self, requester: &Requester) -> Result<(), Duration> {
        let now = || self.0.clock().now();
        self.0
            .check_key(requester)
            .map_err(|refused| refused.wait_time_from(now()))
    }

    /// Forgets requesters who have their full quota again.
    pub(crate) fn remove_idle(&self) {
        self.0.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    #[test]
    fn attempts_are_limited_per_requester() {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit::per_minute(NonZeroU32::new(3).unwrap(), clock.clone());
        let (alice, bob) = (Requester::User("alice".to_owned()), Requester::User("bob".to_owned()));
        for _ in 0..3 {
            assert_eq!(limit.check(&alice), Ok(()));
        }
        assert_eq!(limit.check(&alice), Err(Duration::from_secs(20)));
        assert_eq!(limit.check(&bob), Ok(()));
        clock.advance(Duration::from_secs(20));
        limit.remove_idle();
        assert_eq!(limit.check(&alice), Ok(()));
        assert!(limit.check(&alice).is_err());
    }

    #[test]
    fn idle_requesters_are_removed() {
        let clock = FakeRelativeClock::default();
        let limit = RateLimit::per_minute(NonZeroU32::MIN, clock.clone());
        limit.check(&Requester::User("alice".to_owned())).unwrap();
        limit.remove_idle();
        assert_eq!(limit.0.len(), 1);
        clock.advance(Duration::from_mins(2));
        limit.remove_idle();
        assert_eq!(limit.0.len(), 0);
    }
}
