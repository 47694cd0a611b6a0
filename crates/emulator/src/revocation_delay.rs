//! How long a revocation of tokens takes to have an effect.

use crate::clock::CENTURY;
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::Duration;

/// From no time, which is the default, up to a century, so that sums of times stay within the calendar.
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

    #[test]
    fn a_delay_is_kept_within_bounds() {
        let delay = RevocationDelay::default();
        assert_eq!(delay.get(), Duration::ZERO);
        for (given, kept) in [
            (Duration::minutes(15), Duration::minutes(15)),
            (Duration::MAX, CENTURY),
            (Duration::MIN, Duration::ZERO),
        ] {
            delay.set(given);
            assert_eq!(delay.get(), kept);
        }
    }
}
