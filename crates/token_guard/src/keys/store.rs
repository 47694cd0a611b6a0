//! The cache of an issuer's keys.

use super::{
    fetch::{Fetcher, Found},
    fetch_error::{FetchError, FetchErrorKind},
    key_set::KeySet,
    state::{Fetched, Flight, Held, State},
    verifying_key::VerifyingKey,
};
use crate::{
    algorithm::Algorithm,
    clock::{Clock, age},
    error::{GuardError, TokenFault},
};
use futures::FutureExt;
use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, Instant, SystemTime},
};
use tokio::{runtime::Handle, time::timeout};

/// How long a discovery document is relied on.
const DISCOVERY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// Keeps the keys, and fetches them when they are due or a token names another one.
pub(crate) struct KeyStore {
    fetcher: Fetcher,
    clock: Clock,
    /// How long keys that are due are used while the issuer cannot be reached.
    stale_for: Duration,
    state: Mutex<State>,
    me: Weak<Self>,
}

/// What there is for a token.
enum Supply {
    /// Keys that are not due yet.
    Fresh(Arc<KeySet>),
    /// Keys that are due, as long as they may be used without others, and the fetch of others or why there is none.
    Due(Option<Arc<KeySet>>, Result<Flight, Arc<FetchError>>),
}

/// The keys that a token is checked with.
enum Current {
    /// They are not due yet.
    Fresh(Arc<KeySet>),
    /// They have been fetched for this token, or for another one at the same time.
    Fetched(Arc<KeySet>),
    /// They are due, and others have not been fetched.
    Stale(Arc<KeySet>),
}

impl KeyStore {
    pub(crate) fn new(fetcher: Fetcher, clock: Clock, stale_for: Duration) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            fetcher,
            clock,
            stale_for,
            state: Mutex::default(),
            me: me.clone(),
        })
    }

    /// The key that a token names.
    pub(crate) async fn key(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Arc<VerifyingKey>, GuardError> {
        let current = match self.supply() {
            Supply::Fresh(keys) => Current::Fresh(keys),
            // An issuer that is slow to answer holds up nobody whose key is here.
            Supply::Due(Some(keys), _) if keys.has(id) => Current::Stale(keys),
            Supply::Due(_, flight) => self.landed(flight).await?,
        };
        let (Current::Fresh(keys) | Current::Fetched(keys) | Current::Stale(keys)) = &current;
        match keys.find(id, algorithm) {
            Err(TokenFault::UnknownKey) => {}
            found => return Ok(found?),
        }
        match current {
            // The issuer may have this key by now, which nobody can tell.
            Current::Stale(_) => {
                let (state, now) = self.state();
                Err(state.unavailable(state.retry_after(now), None))
            }
            Current::Fresh(_) if id.is_some() => Ok(self.refetched().await?.find(id, algorithm)?),
            Current::Fresh(_) | Current::Fetched(_) => Err(TokenFault::UnknownKey.into()),
        }
    }

    /// Fetches the keys if they are due.
    pub(crate) async fn load(&self) -> Result<(), GuardError> {
        match self.supply() {
            Supply::Fresh(_) => Ok(()),
            Supply::Due(_, flight) => self.landed(flight).await.map(drop),
        }
    }

    fn supply(&self) -> Supply {
        let (mut state, now) = self.state();
        if let Some(held) = state.held.as_ref().filter(|held| held.is_fresh(now)) {
            return Supply::Fresh(held.keys.clone());
        }
        let flight = match state.failing(now) {
            Some(error) => Err(error),
            None => self.join(&mut state, now),
        };
        Supply::Due(state.usable(now, self.stale_for), flight)
    }

    /// The keys after a fetch, or those that may still be used if it fails.
    async fn landed(&self, flight: Result<Flight, Arc<FetchError>>) -> Result<Current, GuardError> {
        self.outcome(flight).await.map(Current::Fetched).or_else(|error| {
            let (state, now) = self.state();
            let usable = state.usable(now, self.stale_for).map(Current::Stale);
            usable.ok_or_else(|| state.unavailable(state.retry_after(now), Some(error)))
        })
    }

    /// The keys after a fetch ahead of time, if there may be one now.
    async fn refetched(&self) -> Result<Arc<KeySet>, GuardError> {
        let flight = {
            let (mut state, now) = self.state();
            if state.unknown_key_wait(now).is_zero() {
                state.unknown_key_at = Some(now);
                // The key may be where the issuer keeps its keys by now.
                state.discovered = None;
                self.join(&mut state, now)
            } else if let Some(flight) = state.under_way(self.patience()) {
                Ok(flight.clone())
            } else {
                return match (&state.failure, &state.held) {
                    (None, Some(held)) => Ok(held.keys.clone()),
                    _ => Err(state.unavailable(state.unknown_key_wait(now), None)),
                };
            }
        };
        self.outcome(flight).await.map_err(|error| {
            let (state, now) = self.state();
            state.unavailable(state.unknown_key_wait(now), Some(error))
        })
    }

    /// Joins the fetch that is under way, or starts one.
    fn join(&self, state: &mut State, now: SystemTime) -> Result<Flight, Arc<FetchError>> {
        let (Ok(runtime), Some(store)) = (Handle::try_current(), self.me.upgrade()) else {
            return Err(self.failed(FetchErrorKind::Runtime));
        };
        if let Some(flight) = state.under_way(self.patience()) {
            return Ok(flight.clone());
        }
        state.flights += 1;
        let number = state.flights;
        state.discovered.take_if(|(_, at)| age(*at, now) >= DISCOVERY_LIFETIME);
        let known = state.discovered.as_ref().map(|(url, _)| url.clone());
        let ended = self.failed(FetchErrorKind::Runtime);
        let task = runtime.spawn(async move {
            let found = store.fetcher.fetch(known).await;
            store.land(number, now, found.map_err(Arc::new))
        });
        let flight = Flight {
            number,
            started: Instant::now(),
            task: task.abort_handle(),
            outcome: task.map(|ended_well| ended_well.unwrap_or(Err(ended))).boxed().shared(),
        };
        Ok(state.flight.insert(flight).clone())
    }

    /// Waits for a fetch if there is one, on the runtime of who waits: the one that the fetch is on may have stopped to run.
    async fn outcome(&self, flight: Result<Flight, Arc<FetchError>>) -> Fetched {
        let flight = flight?;
        match timeout(self.patience(), flight.outcome).await {
            Ok(outcome) => outcome,
            Err(_) => self.land(
                flight.number,
                self.clock.now(),
                Err(self.failed(FetchErrorKind::Stalled)),
            ),
        }
    }

    /// How long a fetch of two requests is waited for: they fail by themselves before, unless their runtime stands still.
    fn patience(&self) -> Duration {
        self.fetcher.timeout * 3
    }

    /// Ends a fetch that was started at some time. One that is no longer waited for changes nothing: what it brings may
    /// have been answered long ago.
    fn land(&self, number: u64, started_at: SystemTime, outcome: Result<Found, Arc<FetchError>>) -> Fetched {
        let (mut state, now) = self.state();
        let current = state.flight.take_if(|flight| flight.number == number).is_some();
        match outcome {
            Ok(found) => {
                let keys = Arc::new(found.keys);
                if current {
                    state.failure = None;
                    state.discovered.get_or_insert((found.url, started_at));
                    state.held = Some(Held {
                        keys: keys.clone(),
                        fetched_at: started_at,
                        lifetime: found.lifetime,
                    });
                }
                Ok(keys)
            }
            Err(error) => {
                if current {
                    tracing::warn!(
                        error = %error,
                        cause = error.source().map(tracing::field::display),
                        "the keys of the issuer could not be fetched"
                    );
                    state.discovered = None;
                    state.failure = Some((now, error.clone()));
                }
                Err(error)
            }
        }
    }

    fn failed(&self, kind: FetchErrorKind) -> Arc<FetchError> {
        Arc::new(kind.at(self.fetcher.source.url()))
    }

    /// The state, and the time: read while nobody else changes the state, so that nothing in it is of later.
    fn state(&self) -> (MutexGuard<'_, State>, SystemTime) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        state.set_back_to(now);
        (state, now)
    }
}
