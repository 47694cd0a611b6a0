//! The time that tokens and keys are judged by.

use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
    time::SystemTime,
};

/// Tells the time that a guard judges tokens and keys by.
///
/// A guard takes the system's time unless
/// [`TokenGuardBuilder::clock`](crate::TokenGuardBuilder::clock) gives it another one, which is for tests.
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
    /// A clock that asks `now` for the time.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
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

impl Debug for Clock {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
