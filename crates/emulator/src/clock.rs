//! The emulator's time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use time::OffsetDateTime;

/// The most that the clock can be moved, so that sums of times stay within the calendar.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// A clock, and how far ahead of it the emulator's is.
#[derive(Debug)]
pub(crate) struct Clock {
    base: fn() -> OffsetDateTime,
    ahead: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn new(base: fn() -> OffsetDateTime) -> Self {
        Self {
            base,
            ahead: Mutex::default(),
        }
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        (self.base)() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = ahead.saturating_add(by).min(CENTURY);
    }
}

impl Default for Clock {
    /// The machine's clock.
    fn default() -> Self {
        Self::new(OffsetDateTime::now_utc)
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
        clock.advance(Duration::from_secs(60));
        clock.advance(Duration::from_secs(40));
        assert_eq!(clock.now(), NOW + Duration::from_secs(100));
    }

    #[test]
    fn the_clock_moves_a_century_at_most() {
        let clock = Clock::new(|| NOW);
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert_eq!(clock.now(), NOW + CENTURY);
    }

    #[test]
    fn the_clock_is_the_machines_unless_another_is_given() {
        let before = OffsetDateTime::now_utc();
        let now = Clock::default().now();
        assert!((before..=OffsetDateTime::now_utc()).contains(&now));
    }
}
