//! The clock of a client: the machine's time, corrected by the service's, and a monotonic clock.

use azure_core::time::{Duration, OffsetDateTime};
use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

/// A source of time.
pub trait TimeSource: Send + Sync {
    /// Returns the time of day.
    fn now(&self) -> OffsetDateTime;

    /// Returns the time since a moment in the past. It runs on evenly when the time of day is set.
    fn elapsed(&self) -> Duration;
}

/// The time of a client and of its credentials. Clones share the correction.
#[derive(Clone)]
pub struct Clock {
    source: Arc<dyn TimeSource>,
    /// The seconds that the service's clock is ahead of the machine's.
    offset: Arc<AtomicI64>,
}

impl Clock {
    /// Creates a clock that shows the machine's time.
    #[must_use]
    pub fn system() -> Self {
        Self::new(Machine(Instant::now()))
    }

    /// Creates a clock that shows the time of a source.
    pub fn new(source: impl TimeSource + 'static) -> Self {
        Self {
            source: Arc::new(source),
            offset: Arc::default(),
        }
    }

    /// Returns the machine's time plus the correction.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        let offset = Duration::seconds(self.offset_seconds());
        self.machine().saturating_add(offset)
    }

    /// Returns the machine's time.
    #[must_use]
    pub fn machine(&self) -> OffsetDateTime {
        self.source.now()
    }

    /// Returns the time since a moment in the past. It runs on evenly when the machine's time is set.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.source.elapsed()
    }

    /// Returns the correction.
    #[must_use]
    pub fn offset_seconds(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    /// Sets the correction.
    pub fn set_offset_seconds(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// The machine's time, and the start of its monotonic clock.
struct Machine(Instant);

impl TimeSource for Machine {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn elapsed(&self) -> Duration {
        Duration::try_from(self.0.elapsed()).unwrap_or(Duration::MAX)
    }
}

/// A time that stands still until a test moves it. tokio's paused time does not move the machine's clock.
#[derive(Clone)]
pub struct ManualTime(Arc<Mutex<(OffsetDateTime, Duration)>>);

impl ManualTime {
    /// Creates a time source.
    #[must_use]
    pub fn new(now: OffsetDateTime) -> Self {
        Self(Arc::new(Mutex::new((now, Duration::ZERO))))
    }

    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        let mut times = self.times();
        times.0 += by;
        times.1 += by;
    }

    /// Sets the time of day without time passing.
    pub fn set(&self, by: Duration) {
        self.times().0 += by;
    }

    /// Returns a clock that shows this time.
    #[must_use]
    pub fn clock(&self) -> Clock {
        Clock::new(self.clone())
    }

    fn times(&self) -> MutexGuard<'_, (OffsetDateTime, Duration)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TimeSource for ManualTime {
    fn now(&self) -> OffsetDateTime {
        self.times().0
    }

    fn elapsed(&self) -> Duration {
        self.times().1
    }
}

impl fmt::Debug for ManualTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ManualTime")
    }
}
