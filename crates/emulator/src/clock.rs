//! The emulator's time.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};
use time::OffsetDateTime;

/// The most that the clock can be moved, so that sums of times stay within the calendar.
const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

/// The machine's clock, and how far ahead of it the emulator's is.
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
        let before = OffsetDateTime::now_utc();
        let now = clock.now() - Duration::from_secs(100);
        assert!((before..=OffsetDateTime::now_utc()).contains(&now));
    }

    #[test]
    fn the_clock_moves_a_century_at_most() {
        let clock = Clock::default();
        clock.advance(Duration::MAX);
        clock.advance(Duration::MAX);
        let before = OffsetDateTime::now_utc();
        let now = clock.now() - CENTURY;
        assert!((before..=OffsetDateTime::now_utc()).contains(&now));
    }
}
