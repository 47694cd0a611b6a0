//! The service's limits on the number of requests.

use crate::http::Service;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use time::{Duration, OffsetDateTime};

/// The window of every limit. It begins with a request and lasts until its end, so that one number for each quota is
/// enough, and `Retry-After` is exact.
const WINDOW: Duration = Duration::seconds(30);

/// A group of requests that are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Quota {
    CreateIdentity,
    CreateIdentityAndToken,
    DeleteIdentity,
    IssueToken,
    RevokeTokens,
    /// Every exchange of an Entra ID token.
    ExchangeToken,
}

impl Quota {
    /// Requests per window, as the service publishes them.
    fn limit(self) -> u32 {
        match self {
            Self::CreateIdentity | Self::CreateIdentityAndToken | Self::IssueToken => 1000,
            Self::DeleteIdentity | Self::RevokeTokens | Self::ExchangeToken => 500,
        }
    }
}

/// A request exceeds its quota.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LimitExceeded {
    /// Whole seconds, rounded up, until the window ends.
    pub(super) retry_after: i64,
}

/// The current window of a quota.
struct Window {
    start: OffsetDateTime,
    requests: u32,
}

/// Counts requests, if the limits are on.
pub(crate) struct RateLimits {
    windows: Option<Mutex<HashMap<Quota, Window>>>,
}

impl RateLimits {
    pub(crate) fn new(are_on: bool) -> Self {
        Self {
            windows: are_on.then(Mutex::default),
        }
    }

    /// Ends all windows.
    pub(crate) fn clear(&self) {
        if let Some(windows) = &self.windows {
            windows.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Counts a request, or returns the time to wait.
    fn count(&self, quota: Quota, now: OffsetDateTime) -> Result<(), LimitExceeded> {
        let Some(windows) = &self.windows else {
            return Ok(());
        };
        let mut windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Window {
            start: now,
            requests: 0,
        };
        let window = match windows.get_mut(&quota) {
            // If the machine's clock was set back, the window begins again.
            Some(window) if (window.start..window.start + WINDOW).contains(&now) => window,
            _ => windows.entry(quota).insert_entry(new).into_mut(),
        };
        if window.requests == quota.limit() {
            let left = window.start + WINDOW - now;
            let retry_after = left.whole_seconds() + i64::from(left.subsec_nanoseconds() > 0);
            return Err(LimitExceeded { retry_after });
        }
        window.requests += 1;
        Ok(())
    }
}

impl Service {
    /// Counts a request against its quota.
    pub(super) fn count(&self, quota: Quota) -> Result<(), LimitExceeded> {
        self.rate_limits.count(quota, self.resource.clock.now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);

    fn fill(limits: &RateLimits, quota: Quota, requests: u32, now: OffsetDateTime) {
        for request in 0..requests {
            assert_eq!(limits.count(quota, now), Ok(()), "{quota:?} {request}");
        }
    }

    #[test]
    fn every_quota_has_the_published_limit() {
        let limits = RateLimits::new(true);
        for (quota, limit) in [
            (Quota::CreateIdentity, 1000),
            (Quota::DeleteIdentity, 500),
            (Quota::IssueToken, 1000),
            (Quota::RevokeTokens, 500),
            (Quota::CreateIdentityAndToken, 1000),
            (Quota::ExchangeToken, 500),
        ] {
            fill(&limits, quota, limit, NOW);
            let refused = limits.count(quota, NOW);
            assert_eq!(refused, Err(LimitExceeded { retry_after: 30 }), "{quota:?}");
        }
    }

    #[test]
    fn window_lasts_thirty_seconds() {
        let limits = RateLimits::new(true);
        let count = |seconds: f64| limits.count(Quota::DeleteIdentity, NOW + Duration::seconds_f64(seconds));
        fill(&limits, Quota::DeleteIdentity, 499, NOW);
        assert_eq!(count(12.0), Ok(()));
        for (seconds, retry_after) in [(12.0, 18), (12.25, 18), (29.0, 1), (29.999, 1)] {
            assert_eq!(count(seconds), Err(LimitExceeded { retry_after }), "{seconds}");
        }
        let end = NOW + WINDOW;
        fill(&limits, Quota::DeleteIdentity, 500, end);
        assert_eq!(count(31.0), Err(LimitExceeded { retry_after: 29 }));
    }

    #[test]
    fn clock_set_back_begins_a_window() {
        let limits = RateLimits::new(true);
        fill(&limits, Quota::RevokeTokens, 500, NOW);
        fill(&limits, Quota::RevokeTokens, 500, NOW - Duration::HOUR);
    }

    #[test]
    fn limits_can_be_off() {
        fill(&RateLimits::new(false), Quota::ExchangeToken, 1001, NOW);
    }
}
