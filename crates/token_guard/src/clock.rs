//! The clock of a guard.

use std::{fmt, sync::Arc, time::SystemTime};

/// The clock of a guard, for the times of tokens and keys.
///
/// A guard uses the system's clock. Tests set another one with
/// [`TokenGuardBuilder::clock`](crate::TokenGuardBuilder::clock).
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use token_guard::Clock;
///
/// let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
/// let clock = Clock::new(move || noon);
/// assert_eq!(clock.now(), noon);
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// Creates a clock that calls `now` for the time.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// Returns the time.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        (self.0)()
    }
}

/// The system's clock.
impl Default for Clock {
    fn default() -> Self {
        Self::new(SystemTime::now)
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
