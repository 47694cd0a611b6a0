//! The service's limits on the number of requests.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};
use time::{Duration, OffsetDateTime};

/// The window of every limit. It begins with a request and lasts until its end, so that one number for each operation
/// is enough, and its end is exact for `Retry-After`.
const WINDOW: Duration = Duration::seconds(30);

/// An operation with a limit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    CreateIdentity,
    CreateIdentityAndToken,
    DeleteIdentity,
    IssueToken,
    RevokeTokens,
    /// Every exchange of an Entra ID token.
    ExchangeToken,
}

impl Operation {
    /// Requests per window, as the service publishes them.
    fn limit(self) -> u32 {
        match self {
            Self::CreateIdentity | Self::CreateIdentityAndToken | Self::IssueToken => 1000,
            Self::DeleteIdentity | Self::RevokeTokens | Self::ExchangeToken => 500,
        }
    }
}

/// A request exceeds the limit of its operation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LimitExceeded {
    /// Whole seconds, rounded up, until the window ends.
    pub(crate) retry_after: i64,
}

/// The current window of an operation.
struct Window {
    start: OffsetDateTime,
    requests: u32,
}

/// Counts requests, if the limits are on.
pub(crate) struct RateLimits {
    windows: Option<Mutex<HashMap<Operation, Window>>>,
}

impl RateLimits {
    pub(crate) fn new(are_on: bool) -> Self {
        Self {
            windows: are_on.then(Mutex::default),
        }
    }

    /// Counts a request, or says when to come back.
    pub(crate) fn count(&self, operation: Operation, now: OffsetDateTime) -> Result<(), LimitExceeded> {
        let Some(windows) = &self.windows else {
            return Ok(());
        };
        let mut windows = windows.lock().unwrap_or_else(PoisonError::into_inner);
        let new = Window {
            start: now,
            requests: 0,
        };
        let window = match windows.get_mut(&operation) {
            // If the machine's clock was set back, the window begins again.
            Some(window) if (window.start..window.start + WINDOW).contains(&now) => window,
            _ => windows.entry(operation).insert_entry(new).into_mut(),
        };
        if window.requests == operation.limit() {
            let left = window.start + WINDOW - now;
            let retry_after = left.whole_seconds() + i64::from(left.subsec_nanoseconds() > 0);
            return Err(LimitExceeded { retry_after });
        }
        window.requests += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);

    fn fill(limits: &RateLimits, operation: Operation, requests: u32, now: OffsetDateTime) {
        for request in 0..requests {
            assert_eq!(limits.count(operation, now), Ok(()), "{operation:?} {request}");
        }
    }

    #[test]
    fn every_operation_has_the_published_limit_of_its_own() {
        let limits = RateLimits::new(true);
        for (operation, limit) in [
            (Operation::CreateIdentity, 1000),
            (Operation::DeleteIdentity, 500),
            (Operation::IssueToken, 1000),
            (Operation::RevokeTokens, 500),
            (Operation::CreateIdentityAndToken, 1000),
            (Operation::ExchangeToken, 500),
        ] {
            fill(&limits, operation, limit, NOW);
            let refused = limits.count(operation, NOW);
            assert_eq!(refused, Err(LimitExceeded { retry_after: 30 }), "{operation:?}");
        }
    }

    #[test]
    fn a_window_lasts_thirty_seconds_from_its_first_request() {
        let limits = RateLimits::new(true);
        let count = |seconds: f64| limits.count(Operation::DeleteIdentity, NOW + Duration::seconds_f64(seconds));
        fill(&limits, Operation::DeleteIdentity, 499, NOW);
        assert_eq!(count(12.0), Ok(()));
        for (seconds, retry_after) in [(12.0, 18), (12.25, 18), (29.0, 1), (29.999, 1)] {
            assert_eq!(count(seconds), Err(LimitExceeded { retry_after }), "{seconds}");
        }
        let end = NOW + WINDOW;
        fill(&limits, Operation::DeleteIdentity, 500, end);
        assert_eq!(count(31.0), Err(LimitExceeded { retry_after: 29 }));
    }

    #[test]
    fn a_clock_that_is_set_back_begins_a_window() {
        let limits = RateLimits::new(true);
        fill(&limits, Operation::RevokeTokens, 500, NOW);
        fill(&limits, Operation::RevokeTokens, 500, NOW - Duration::HOUR);
    }

    #[test]
    fn limits_can_be_off() {
        fill(&RateLimits::new(false), Operation::ExchangeToken, 1001, NOW);
    }
}
