//! When a token is refreshed, as a pure function of the time.
//!
//! The rule is that of the official clients: two minutes before the token expires when somebody asks for it, ten
//! minutes before when it is refreshed ahead, and after half of the life that is left when that is less already.

use crate::error::CommunicationError;
use azure_core::{
    Error,
    time::{Duration, OffsetDateTime},
};

/// How long before its expiry a token is refreshed when somebody asks for it.
pub(super) const ON_DEMAND: Duration = Duration::minutes(2);

/// How long before its expiry a token is refreshed ahead.
pub(super) const PROACTIVE: Duration = Duration::minutes(10);

/// The least time between two refreshes, for a source that returns the same token until it has expired.
const FLOOR: Duration = Duration::SECOND;

/// The longest time between a failed refresh and the next.
const LONGEST_BACKOFF: Duration = Duration::MINUTE;

/// When a token that was obtained `now` is to be refreshed, `window` before it expires.
pub(super) fn refresh_at(expires_on: OffsetDateTime, now: OffsetDateTime, window: Duration) -> OffsetDateTime {
    let life = expires_on - now;
    if life > window {
        expires_on.saturating_sub(window)
    } else {
        now.saturating_add(FLOOR.max(life / 2))
    }
}

/// When a refresh is to be tried again: after 1, 2, 4 … seconds, at most a minute, and not before the service allows.
fn retry_at(now: OffsetDateTime, failures: u32, retry_after: Option<Duration>) -> OffsetDateTime {
    let backoff = Duration::seconds(2_i64.saturating_pow(failures.saturating_sub(1))).min(LONGEST_BACKOFF);
    now.saturating_add(retry_after.map_or(backoff, |asked| asked.max(backoff)))
}

/// How many refreshes in a row have failed.
#[derive(Default)]
pub(super) struct Failures(u32);

impl Failures {
    pub(super) fn is_zero(&self) -> bool {
        self.0 == 0
    }

    /// Counts one, and says when to try again.
    pub(super) fn add(&mut self, error: &Error, now: OffsetDateTime) -> OffsetDateTime {
        self.0 = self.0.saturating_add(1);
        let retry_after = CommunicationError::from_error(error).and_then(|error| error.retry_after);
        retry_at(now, self.0, retry_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn refreshed_after(life: Duration, window: Duration) -> Duration {
        refresh_at(NOW + life, NOW, window) - NOW
    }

    #[test]
    fn a_token_is_refreshed_a_window_before_it_expires() {
        assert_eq!(refreshed_after(Duration::HOUR, PROACTIVE), Duration::minutes(50));
        assert_eq!(refreshed_after(Duration::HOUR, ON_DEMAND), Duration::minutes(58));
        assert_eq!(refreshed_after(Duration::seconds(601), PROACTIVE), Duration::SECOND);
    }

    #[test]
    fn a_token_that_is_in_the_window_already_is_refreshed_after_half_of_its_life() {
        assert_eq!(refreshed_after(Duration::minutes(10), PROACTIVE), Duration::minutes(5));
        assert_eq!(refreshed_after(Duration::minutes(5), PROACTIVE), Duration::seconds(150));
        assert_eq!(refreshed_after(Duration::minutes(2), ON_DEMAND), Duration::minutes(1));
        for life in [2, 1, 0, -1, -3600] {
            assert_eq!(
                refreshed_after(Duration::seconds(life), PROACTIVE),
                Duration::SECOND,
                "{life}"
            );
        }
    }

    #[test]
    fn retries_come_ever_later_and_at_least_once_a_minute() {
        let delays = (1..10).map(|failures| (retry_at(NOW, failures, None) - NOW).whole_seconds());
        assert!(delays.eq([1, 2, 4, 8, 16, 32, 60, 60, 60]));
        assert_eq!(retry_at(NOW, u32::MAX, None) - NOW, Duration::MINUTE);
    }

    #[test]
    fn a_retry_waits_as_long_as_the_service_asks() {
        let delay = |asked| (retry_at(NOW, 3, Some(Duration::seconds(asked))) - NOW).whole_seconds();
        assert_eq!((delay(3), delay(4), delay(90)), (4, 4, 90));
    }

    #[test]
    fn no_date_is_out_of_range() {
        let first = NOW.saturating_add(Duration::MIN);
        let last = NOW.saturating_add(Duration::MAX);
        refresh_at(first, last, PROACTIVE);
        refresh_at(last, first, PROACTIVE);
        retry_at(last, 1, Some(Duration::MAX));
    }
}
