//! How often somebody can do something.

use crate::requester::Requester;
use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    state::keyed::HashMapStateStore,
};
use std::{num::NonZeroU32, time::Duration};

/// A limit for each requester, within this process.
pub(crate) struct Limit<C: Clock = DefaultClock>(
    RateLimiter<Requester, HashMapStateStore<Requester>, C, NoOpMiddleware<C::Instant>>,
);

impl<C: Clock> Limit<C> {
    /// So many times at once, and as many in a minute.
    pub(crate) fn per_minute(times: NonZeroU32, clock: C) -> Self {
        Self(RateLimiter::hashmap_with_clock(Quota::per_minute(times), clock))
    }

    /// Counts a time, unless it is one too many: then the error is how long to wait.
    pub(crate) fn check(&self, requester: &Requester) -> Result<(), Duration> {
        let now = || self.0.clock().now();
        self.0
            .check_key(requester)
            .map_err(|refused| refused.wait_time_from(now()))
    }

    /// Forgets those who have waited long enough.
    pub(crate) fn forget(&self) {
        self.0.retain_recent();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    #[test]
    fn each_has_so_many_attempts_in_a_minute() {
        let clock = FakeRelativeClock::default();
        let limit = Limit::per_minute(NonZeroU32::new(3).unwrap(), clock.clone());
        let (alice, bob) = (Requester::User("alice".to_owned()), Requester::User("bob".to_owned()));
        for _ in 0..3 {
            assert_eq!(limit.check(&alice), Ok(()));
        }
        assert_eq!(limit.check(&alice), Err(Duration::from_secs(20)));
        assert_eq!(limit.check(&bob), Ok(()));
        clock.advance(Duration::from_secs(20));
        limit.forget();
        assert_eq!(limit.check(&alice), Ok(()));
        assert!(limit.check(&alice).is_err());
    }

    #[test]
    fn who_has_waited_is_forgotten() {
        let clock = FakeRelativeClock::default();
        let limit = Limit::per_minute(NonZeroU32::MIN, clock.clone());
        limit.check(&Requester::User("alice".to_owned())).unwrap();
        limit.forget();
        assert_eq!(limit.0.len(), 1);
        clock.advance(Duration::from_mins(2));
        limit.forget();
        assert_eq!(limit.0.len(), 0);
    }
}
