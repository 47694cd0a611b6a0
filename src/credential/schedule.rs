//! The times at which a token is refreshed.
//!
//! The rule is that of the official clients: two minutes before the token expires when a caller asks for it, ten minutes
//! before when it is refreshed ahead, and after half of the life that is left when that is less already. Jitter spreads the
//! refreshes of credentials that were created together.
//!
//! A token expires by the time of day. Waits after a failure are measured by a monotonic clock, which runs on evenly when the
//! machine's clock is set.

use crate::error::CommunicationError;
use azure_core::{
    Error, Uuid,
    time::{Duration, OffsetDateTime},
};
use client_core::single_flight::SharedError;

/// The time before its expiry at which a token is refreshed when a caller asks for it.
pub(super) const ON_DEMAND: Duration = Duration::minutes(2);

/// The time before its expiry at which a token is refreshed ahead.
pub(super) const PROACTIVE: Duration = Duration::minutes(10);

/// The least time between two refreshes, for a source that returns the same token until it has expired.
const MIN_INTERVAL: Duration = Duration::SECOND;

/// The longest time between a failed refresh and the next, without jitter.
const MAX_BACKOFF: Duration = Duration::MINUTE;

/// The longest wait that a service may ask for.
const MAX_RETRY_AFTER: Duration = Duration::HOUR;

/// The part of a token's life by which its refresh may come earlier.
const REFRESH_JITTER: f64 = 0.03;

/// The part of a backoff by which it may take longer.
const BACKOFF_JITTER: f64 = 0.2;

/// A source of fractions from 0 to 1 that spread the times. A test takes one that is always 0.
pub(super) type Jitter = fn() -> f64;

/// Returns a random fraction from 0 to 1.
pub(super) fn random_jitter() -> f64 {
    let (random, ..) = Uuid::new_v4().as_fields();
    f64::from(random) / f64::from(u32::MAX)
}

/// Returns when to refresh a token that was obtained `now`: `window` before it expires, or a little earlier.
pub(super) fn refresh_at(
    expires_on: OffsetDateTime,
    now: OffsetDateTime,
    window: Duration,
    jitter: f64,
) -> OffsetDateTime {
    let life = expires_on - now;
    let wait = if life > window { life - window } else { life / 2 };
    // A token with a life of millennia would be out of a duration's range.
    let spread = Duration::checked_seconds_f64(life.as_seconds_f64() * REFRESH_JITTER * jitter).unwrap_or_default();
    now.saturating_add(MIN_INTERVAL.max(wait.saturating_sub(spread)))
}

/// Returns the wait after a number of failures in a row: 1, 2, 4 … seconds, at most a minute, or a little longer, and not
/// less than the service asks for.
fn backoff(failures: u32, retry_after: Option<Duration>, jitter: f64) -> Duration {
    let backoff = Duration::seconds(2_i64.saturating_pow(failures.saturating_sub(1))).min(MAX_BACKOFF);
    let wait = retry_after.map_or(backoff, |asked| asked.max(backoff));
    wait.saturating_add(backoff * (BACKOFF_JITTER * jitter))
}

/// Returns the wait that the service asked for in a failure, up to an hour.
fn retry_after(error: &Error) -> Option<Duration> {
    let wait = CommunicationError::from_error(error)?.retry_after?;
    Some(wait.min(MAX_RETRY_AFTER)).filter(|wait| wait.is_positive())
}

/// The refreshes that have failed since the last success. Times are those of the monotonic clock.
#[derive(Default)]
pub(super) struct Failures {
    count: u32,
    retry_at: Duration,
    /// The failure that callers get until a time, because the service asked for a wait.
    held: Option<(SharedError, Duration)>,
}

impl Failures {
    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Adds a failure.
    pub(super) fn add(&mut self, error: &SharedError, elapsed: Duration, jitter: f64) {
        let retry_after = retry_after(error.as_ref());
        self.count = self.count.saturating_add(1);
        self.retry_at = elapsed.saturating_add(backoff(self.count, retry_after, jitter));
        if let Some(wait) = retry_after {
            let until = elapsed.saturating_add(wait);
            if self.held.as_ref().is_none_or(|(_, other)| *other < until) {
                self.held = Some((error.clone(), until));
            }
        }
    }

    /// Returns the time until the next attempt; zero if it is due.
    pub(super) fn wait(&self, elapsed: Duration) -> Duration {
        self.retry_at.saturating_sub(elapsed).max(Duration::ZERO)
    }

    /// Returns the failure that callers get in place of another attempt.
    pub(super) fn held(&self, elapsed: Duration) -> Option<SharedError> {
        let (error, until) = self.held.as_ref()?;
        (elapsed < *until).then(|| error.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn refreshed_after(life: Duration, window: Duration) -> Duration {
        refresh_at(NOW + life, NOW, window, 0.0) - NOW
    }

    #[test]
    fn a_token_is_refreshed_a_window_before_it_expires() {
        assert_eq!(refreshed_after(Duration::HOUR, PROACTIVE), Duration::minutes(50));
        assert_eq!(refreshed_after(Duration::HOUR, ON_DEMAND), Duration::minutes(58));
        assert_eq!(refreshed_after(Duration::seconds(601), PROACTIVE), Duration::SECOND);
    }

    #[test]
    fn a_token_in_its_window_is_refreshed_after_half_its_life() {
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
    fn jitter_advances_a_refresh_by_three_per_cent() {
        let day = Duration::DAY;
        let earliest = refresh_at(NOW + day, NOW, PROACTIVE, 1.0) - NOW;
        // 24 hours less ten minutes, less 3 % of 24 hours, which are 43 minutes and 12 seconds.
        assert_eq!(earliest, Duration::seconds(86_400 - 600 - 2592));
        let middle = refresh_at(NOW + day, NOW, PROACTIVE, 0.5) - NOW;
        assert_eq!(middle, Duration::seconds(86_400 - 600 - 1296));
        let short = refresh_at(NOW + Duration::seconds(601), NOW, PROACTIVE, 1.0) - NOW;
        assert_eq!(short, Duration::SECOND);
    }

    #[test]
    fn random_jitter_is_a_fraction_and_varies() {
        let drawn: Vec<f64> = (0..100).map(|_| random_jitter()).collect();
        assert!(drawn.iter().all(|jitter| (0.0..=1.0).contains(jitter)), "{drawn:?}");
        let (low, high) = drawn.iter().fold((1.0_f64, 0.0_f64), |(low, high), &jitter| {
            (low.min(jitter), high.max(jitter))
        });
        assert!(low < 0.5 && high > 0.5, "{drawn:?}");
    }

    #[test]
    fn retries_back_off_to_one_a_minute() {
        let delays = (1..10).map(|failures| backoff(failures, None, 0.0).whole_seconds());
        assert!(delays.eq([1, 2, 4, 8, 16, 32, 60, 60, 60]));
        assert_eq!(backoff(u32::MAX, None, 0.0), Duration::MINUTE);
        assert_eq!(backoff(u32::MAX, None, 1.0), Duration::seconds(72));
    }

    #[test]
    fn a_retry_waits_as_long_as_the_service_asks() {
        let delay = |asked, jitter| backoff(3, Some(Duration::seconds(asked)), jitter).as_seconds_f64();
        assert_eq!((delay(3, 0.0), delay(4, 0.0), delay(90, 0.0)), (4.0, 4.0, 90.0));
        assert_eq!((delay(3, 1.0), delay(90, 1.0)), (4.8, 90.8));
    }

    #[test]
    fn no_date_is_out_of_range() {
        let first = NOW.saturating_add(Duration::MIN);
        let last = NOW.saturating_add(Duration::MAX);
        for jitter in [0.0, 1.0] {
            refresh_at(first, last, PROACTIVE, jitter);
            refresh_at(last, first, PROACTIVE, jitter);
            backoff(1, Some(Duration::MAX), jitter);
        }
    }
}
