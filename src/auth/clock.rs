//! Where the time of a signature comes from.

use azure_core::time::OffsetDateTime;
use std::{fmt, sync::Arc};

/// A source of the current time, so that a test can move it.
///
/// tokio's paused time does not move the wall clock that a signature carries.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> OffsetDateTime + Send + Sync>);

impl Clock {
    /// The machine's clock.
    pub(crate) fn system() -> Self {
        Self(Arc::new(OffsetDateTime::now_utc))
    }

    /// A clock that a test moves.
    #[cfg(test)]
    pub(crate) fn from_fn(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A clock that stands still until it is moved.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct MovedClock(Arc<std::sync::Mutex<OffsetDateTime>>);

#[cfg(test)]
impl MovedClock {
    /// `now` is in the form of RFC 3339.
    pub(crate) fn new(now: &str) -> Self {
        let now = azure_core::time::parse_rfc3339(now).unwrap();
        Self(Arc::new(std::sync::Mutex::new(now)))
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        *self.0.lock().unwrap()
    }

    pub(crate) fn advance(&self, by: azure_core::time::Duration) {
        *self.0.lock().unwrap() += by;
    }

    pub(crate) fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock::from_fn(move || clock.now())
    }
}
