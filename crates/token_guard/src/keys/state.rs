//! What is known of an issuer's keys at a moment.

use super::{fetch_error::FetchError, key_set::KeySet};
use crate::{
    clock::age,
    error::{GuardError, KeysUnavailable},
};
use futures::future::{BoxFuture, Shared};
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};
use tokio::task::AbortHandle;
use url::Url;

/// How often tokens with unknown keys can make the guard fetch keys that are not due. Anybody can send such tokens.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(30);

/// How long the issuer is left alone after a fetch that failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

pub(super) type Fetched = Result<Arc<KeySet>, Arc<FetchError>>;

#[derive(Default)]
pub(super) struct State {
    pub(super) held: Option<Held>,
    pub(super) flight: Option<Flight>,
    /// How many fetches there have been.
    pub(super) flights: u64,
    /// Where the keys are, until a fetch fails, a token names an unknown key, or a day has passed.
    pub(super) discovered: Option<(Url, SystemTime)>,
    /// The last failure, if nothing has been fetched since.
    pub(super) failure: Option<(SystemTime, Arc<FetchError>)>,
    /// When a token with an unknown key last started a fetch.
    pub(super) unknown_key_at: Option<SystemTime>,
}

pub(super) struct Held {
    pub(super) keys: Arc<KeySet>,
    pub(super) fetched_at: SystemTime,
    pub(super) lifetime: Duration,
}

/// A fetch that everybody who needs it waits for. It is a task of its own, so that it goes on when they do not.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) number: u64,
    pub(super) started: Instant,
    pub(super) task: AbortHandle,
    pub(super) outcome: Shared<BoxFuture<'static, Fetched>>,
}

impl Flight {
    pub(super) fn is_under_way(&self, patience: Duration) -> bool {
        !self.task.is_finished() && self.started.elapsed() < patience
    }
}

impl Held {
    pub(super) fn is_fresh(&self, now: SystemTime) -> bool {
        age(self.fetched_at, now) < self.lifetime
    }
}

impl State {
    /// After the clock was set back, what lies in its future counts as of now: nothing lives longer than from now on.
    pub(super) fn set_back_to(&mut self, now: SystemTime) {
        let times = [
            self.held.as_mut().map(|held| &mut held.fetched_at),
            self.discovered.as_mut().map(|(_, at)| at),
            self.failure.as_mut().map(|(at, _)| at),
            self.unknown_key_at.as_mut(),
        ];
        for time in times.into_iter().flatten() {
            *time = now.min(*time);
        }
    }

    /// The fetch that everybody waits for. One that takes too long is on a runtime that does not run.
    pub(super) fn under_way(&self, patience: Duration) -> Option<&Flight> {
        self.flight.as_ref().filter(|flight| flight.is_under_way(patience))
    }

    /// The last failure, if it is so recent that the next fetch has to wait.
    pub(super) fn failing(&self, now: SystemTime) -> Option<Arc<FetchError>> {
        let (at, error) = self.failure.as_ref()?;
        (age(*at, now) < RETRY_INTERVAL).then(|| error.clone())
    }

    /// How long it takes until keys that are due are asked for again.
    pub(super) fn retry_after(&self, now: SystemTime) -> Duration {
        let failed = self.failure.as_ref().map(|(at, _)| age(*at, now));
        RETRY_INTERVAL.saturating_sub(failed.unwrap_or_default())
    }

    /// How long it takes until a token with an unknown key can start a fetch.
    pub(super) fn unknown_key_wait(&self, now: SystemTime) -> Duration {
        let at = self.unknown_key_at;
        at.map_or(Duration::ZERO, |at| UNKNOWN_KEY_INTERVAL.saturating_sub(age(at, now)))
    }

    /// The keys that are held, as long as they may be used without a fetch that succeeds.
    pub(super) fn usable(&self, now: SystemTime, stale_for: Duration) -> Option<Arc<KeySet>> {
        let held = self.held.as_ref()?;
        let usable_for = held.lifetime.saturating_add(stale_for);
        (age(held.fetched_at, now) < usable_for).then(|| held.keys.clone())
    }

    /// The error after this failure, or after the last one.
    pub(super) fn unavailable(&self, retry_after: Duration, error: Option<Arc<FetchError>>) -> GuardError {
        let last = self.failure.as_ref().map(|(_, last)| last.clone());
        GuardError::KeysUnavailable(KeysUnavailable {
            retry_after,
            source: error.or(last).map(|error| error as Arc<dyn Error + Send + Sync>),
        })
    }
}
