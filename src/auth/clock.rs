//! The client's clock: the machine's time, corrected by the service's, and a stopwatch.

use azure_core::time::{Duration, OffsetDateTime};
use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

/// The time of a client and of the credentials that it gives tokens to. Clones share the correction.
#[derive(Clone)]
pub(crate) struct Clock {
    source: Source,
    /// The seconds that the service's clock is ahead of the machine's.
    offset: Arc<AtomicI64>,
}

#[derive(Clone)]
enum Source {
    /// The machine's clock, and the start of the stopwatch.
    Machine(Instant),
    #[cfg(test)]
    Test {
        now: Arc<dyn Fn() -> OffsetDateTime + Send + Sync>,
        elapsed: Arc<dyn Fn() -> Duration + Send + Sync>,
    },
}

impl Clock {
    /// The machine's clock, not corrected.
    pub(crate) fn system() -> Self {
        Self::new(Source::Machine(Instant::now()))
    }

    /// A clock whose time a test computes, and whose stopwatch stands still.
    #[cfg(test)]
    pub(crate) fn from_fn(now: impl Fn() -> OffsetDateTime + Send + Sync + 'static) -> Self {
        Self::new(Source::Test {
            now: Arc::new(now),
            elapsed: Arc::new(|| Duration::ZERO),
        })
    }

    fn new(source: Source) -> Self {
        Self {
            source,
            offset: Arc::default(),
        }
    }

    /// The machine's time plus the correction.
    pub(crate) fn now(&self) -> OffsetDateTime {
        self.machine().saturating_add(Duration::seconds(self.offset_seconds()))
    }

    /// The machine's time.
    pub(crate) fn machine(&self) -> OffsetDateTime {
        match &self.source {
            Source::Machine(_) => OffsetDateTime::now_utc(),
            #[cfg(test)]
            Source::Test { now, .. } => now(),
        }
    }

    /// The time since some moment in the past. It goes on evenly when the machine's clock is set.
    pub(crate) fn elapsed(&self) -> Duration {
        match &self.source {
            Source::Machine(start) => Duration::try_from(start.elapsed()).unwrap_or(Duration::MAX),
            #[cfg(test)]
            Source::Test { elapsed, .. } => elapsed(),
        }
    }

    pub(crate) fn offset_seconds(&self) -> i64 {
        self.offset.load(Ordering::Relaxed)
    }

    pub(crate) fn set_offset_seconds(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
    }

    /// Replaces an offset, unless another has been set meanwhile.
    pub(crate) fn replace_offset_seconds(&self, current: i64, new: i64) {
        let _ = self
            .offset
            .compare_exchange(current, new, Ordering::Relaxed, Ordering::Relaxed);
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// A clock that stands still until a test moves it. tokio's paused time does not move the machine's clock.
#[cfg(test)]
#[derive(Clone)]
pub(crate) struct MovedClock(Arc<std::sync::Mutex<(OffsetDateTime, Duration)>>);

#[cfg(test)]
impl MovedClock {
    /// `now` is in the form of RFC 3339.
    pub(crate) fn new(now: &str) -> Self {
        let now = azure_core::time::parse_rfc3339(now).unwrap();
        Self(Arc::new(std::sync::Mutex::new((now, Duration::ZERO))))
    }

    pub(crate) fn now(&self) -> OffsetDateTime {
        self.0.lock().unwrap().0
    }

    fn elapsed(&self) -> Duration {
        self.0.lock().unwrap().1
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, by: Duration) {
        let mut times = self.0.lock().unwrap();
        times.0 += by;
        times.1 += by;
    }

    /// Sets the machine's clock without time passing.
    pub(crate) fn set(&self, by: Duration) {
        self.0.lock().unwrap().0 += by;
    }

    pub(crate) fn clock(&self) -> Clock {
        let (now, elapsed) = (self.clone(), self.clone());
        Clock::new(Source::Test {
            now: Arc::new(move || now.now()),
            elapsed: Arc::new(move || elapsed.elapsed()),
        })
    }
}
