//! The emulator's time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use time::OffsetDateTime;

/// As far as the clock can be moved, so that no sum of times leaves the calendar.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The machine's clock, and how far ahead of it the emulator lives.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    ahead: Mutex<Duration>,
}

impl Clock {
    pub(crate) fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + *self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        *ahead = ahead.saturating_add(by).min(CENTURY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_add_up() {
        let clock = Clock::default();
        clock.advance(Duration::from_secs(60));
        clock.advance(Duration::from_secs(40));
        let ahead = clock.now() - OffsetDateTime::now_utc();
        assert_eq!((ahead + Duration::from_millis(500)).whole_seconds(), 100);
    }

    #[test]
    fn the_longest_step_stays_within_the_calendar() {
        let clock = Clock::default();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        assert!(clock.now() + CENTURY > OffsetDateTime::now_utc() + CENTURY);
    }
}
