//! The emulator's time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use time::{Duration, OffsetDateTime};

/// The limit of a clock's offset and of a revocation's delay, so that sums of times stay within the calendar.
pub const CENTURY: Duration = Duration::days(100 * 365);

/// The emulator's clock: that of the machine and an offset, negative if the emulator's is behind.
#[derive(Debug)]
pub(crate) struct Clock {
    base: fn() -> OffsetDateTime,
    offset: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn new(base: fn() -> OffsetDateTime) -> Self {
        Self {
            base,
            offset: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        (self.base)() + self.offset()
    }

    pub(crate) fn offset(&self) -> Duration {
        *self.lock()
    }

    pub(crate) fn set_offset(&self, offset: Duration) {
        *self.lock() = offset.clamp(-CENTURY, CENTURY);
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut offset = self.lock();
        *offset = offset.saturating_add(by).clamp(-CENTURY, CENTURY);
    }

    fn lock(&self) -> MutexGuard<'_, Duration> {
        self.offset.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Clock {
    /// The machine's clock.
    fn default() -> Self {
        Self::new(OffsetDateTime::now_utc)
    }
}

/// The delay after which a revocation of tokens takes effect: zero by default, a century at most.
#[derive(Debug, Default)]
pub(crate) struct RevocationDelay(Mutex<Duration>);

impl RevocationDelay {
    pub(crate) fn new(delay: std::time::Duration) -> Self {
        let new = Self::default();
        new.set(delay.try_into().unwrap_or(Duration::MAX));
        new
    }

    pub(crate) fn get(&self) -> Duration {
        *self.lock()
    }

    pub(crate) fn set(&self, delay: Duration) {
        *self.lock() = delay.clamp(Duration::ZERO, CENTURY);
    }

    fn lock(&self) -> MutexGuard<'_, Duration> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-08-01 00:00 UTC);

    #[test]
    fn steps_add_up() {
        let clock = Clock::new(|| NOW);
        assert_eq!(clock.now(), NOW);
        clock.advance(Duration::seconds(60));
        clock.advance(Duration::seconds(40));
        assert_eq!(clock.now(), NOW + Duration::seconds(100));
    }

    #[test]
    fn offset_replaces_earlier_steps() {
        let clock = Clock::new(|| NOW);
        clock.advance(Duration::HOUR);
        clock.set_offset(Duration::minutes(-10));
        assert_eq!(clock.now(), NOW - Duration::minutes(10));
        clock.set_offset(Duration::MIN);
        assert_eq!(clock.now(), NOW - CENTURY);
    }

    #[test]
    fn offset_is_a_century_at_most() {
        let clock = Clock::new(|| NOW);
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), NOW + CENTURY);
    }

    #[test]
    fn default_clock_is_the_machines() {
        let before = OffsetDateTime::now_utc();
        let now = Clock::default().now();
        assert!((before..=OffsetDateTime::now_utc()).contains(&now));
    }

    #[test]
    fn delay_stays_within_bounds() {
        let delay = RevocationDelay::default();
        assert_eq!(delay.get(), Duration::ZERO);
        for (given, expected) in [
            (Duration::minutes(15), Duration::minutes(15)),
            (Duration::MAX, CENTURY),
            (Duration::MIN, Duration::ZERO),
        ] {
            delay.set(given);
            assert_eq!(delay.get(), expected);
        }
    }
}
