//! The keys of an issuer, fetched by one request at a time.

use crate::{
    algorithm::Algorithm,
    clock::Clock,
    error::{GuardError, TokenFault},
    keys::{
        cache::{CachedKeys, KeyCache, lifetime},
        fetch::{FetchError, FetchErrorKind, FetchedKeys, Fetcher},
        key_set::{KeyHint, KeySet, VerifyingKey},
    },
};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared, ready},
};
use std::{
    error::Error,
    ops::RangeInclusive,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};
use tokio::{runtime::Handle, task::AbortHandle, time::timeout};

/// The keys of an issuer.
#[derive(Clone)]
pub(crate) enum IssuerKeys {
    /// Set by the owner of the guard, for good.
    Fixed(Arc<KeySet>),
    Fetched(Arc<KeyStore>),
}

impl IssuerKeys {
    /// Returns the key for a token.
    pub(crate) async fn key(&self, hint: KeyHint<'_>, algorithm: Algorithm) -> Result<Arc<VerifyingKey>, GuardError> {
        match self {
            Self::Fixed(keys) => Ok(keys.find(hint, algorithm)?),
            Self::Fetched(store) => store.key(hint, algorithm).await,
        }
    }

    /// Returns the key that may have replaced another one, which did not verify a token. Returns `None` for a token that
    /// names its key: this one was not replaced.
    pub(crate) async fn replacement(
        &self,
        refused: &Arc<VerifyingKey>,
        hint: KeyHint<'_>,
        algorithm: Algorithm,
    ) -> Result<Option<Arc<VerifyingKey>>, GuardError> {
        match self {
            Self::Fetched(store) if !refused.is_named_by(hint) => {
                let key = store.refetched().await?.find(hint, algorithm)?;
                Ok((!Arc::ptr_eq(&key, refused)).then_some(key))
            }
            Self::Fixed(_) | Self::Fetched(_) => Ok(None),
        }
    }

    /// Fetches the keys unless usable ones are cached. The fetch starts at once, rather than with the first poll.
    pub(crate) fn load(&self) -> BoxFuture<'_, Result<(), GuardError>> {
        match self {
            Self::Fixed(_) => ready(Ok(())).boxed(),
            Self::Fetched(store) => store.load().boxed(),
        }
    }

    /// Returns the keys of the last fetch, for a log. Sends no request.
    pub(crate) fn known(&self) -> Option<Arc<KeySet>> {
        match self {
            Self::Fixed(keys) => Some(keys.clone()),
            Self::Fetched(store) => store.lock().0.cache.last_fetched(),
        }
    }
}

/// Caches the keys of an issuer. Fetches them when they have expired, or when a token names an unknown key.
pub(crate) struct KeyStore {
    fetcher: Fetcher,
    /// The bounds of the lifetime that the issuer gives its keys.
    lifetimes: RangeInclusive<Duration>,
    /// The longest use of expired keys.
    stale_for: Duration,
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    cache: KeyCache,
    in_flight: Option<InFlightFetch>,
    /// The number of fetches so far.
    fetches: u64,
}

type FetchOutcome = Result<Arc<KeySet>, Arc<FetchError>>;

/// A fetch that all callers share. It is a task, so that it continues when they are cancelled.
#[derive(Clone)]
struct InFlightFetch {
    id: u64,
    started_at: Instant,
    task: AbortHandle,
    outcome: Shared<BoxFuture<'static, FetchOutcome>>,
}

/// The keys in the cache, and the fetch that replaces them.
enum Lookup {
    Fresh(Arc<KeySet>),
    Expired {
        /// The expired keys, while they may still be used.
        stale: Option<Arc<KeySet>>,
        /// The fetch, or the recent failure that defers it.
        fetch: Result<InFlightFetch, Arc<FetchError>>,
    },
}

/// The keys that a token is checked with.
enum Keys {
    Fresh(Arc<KeySet>),
    /// Fetched while the token waited.
    Fetched(Arc<KeySet>),
    /// Expired, and not replaced.
    Stale(Arc<KeySet>),
}

impl KeyStore {
    pub(crate) fn new(
        fetcher: Fetcher,
        lifetimes: RangeInclusive<Duration>,
        stale_for: Duration,
        clock: Clock,
    ) -> Arc<Self> {
        Arc::new(Self {
            fetcher,
            lifetimes,
            stale_for,
            clock,
            state: Mutex::default(),
        })
    }

    async fn key(self: &Arc<Self>, hint: KeyHint<'_>, algorithm: Algorithm) -> Result<Arc<VerifyingKey>, GuardError> {
        let is_unknown = |keys: &KeySet| matches!(keys.find(hint, algorithm), Err(TokenFault::UnknownKey));
        let keys = match self.lookup() {
            Lookup::Fresh(keys) => Keys::Fresh(keys),
            // A slow issuer delays no token whose key is cached.
            Lookup::Expired { stale: Some(keys), .. } if !is_unknown(&keys) => Keys::Stale(keys),
            Lookup::Expired { fetch, .. } => self.fetched_or_stale(fetch).await?,
        };
        let (Keys::Fresh(set) | Keys::Fetched(set) | Keys::Stale(set)) = &keys;
        match set.find(hint, algorithm) {
            Err(TokenFault::UnknownKey) => {}
            found => return Ok(found?),
        }
        match keys {
            // The issuer may have added this key since.
            Keys::Stale(_) => {
                let (state, now) = self.lock();
                Err(state.cache.unavailable(state.cache.retry_delay(now), None))
            }
            Keys::Fresh(_) if hint.is_named() => Ok(self.refetched().await?.find(hint, algorithm)?),
            Keys::Fresh(_) | Keys::Fetched(_) => Err(TokenFault::UnknownKey.into()),
        }
    }

    /// Fetches the keys unless usable ones are cached. Does not wait for keys that only replace expired ones.
    fn load(self: &Arc<Self>) -> impl Future<Output = Result<(), GuardError>> + Send {
        let lookup = self.lookup();
        async move {
            match lookup {
                Lookup::Fresh(_) | Lookup::Expired { stale: Some(_), .. } => Ok(()),
                Lookup::Expired { fetch, .. } => self.fetched_or_stale(fetch).await.map(drop),
            }
        }
    }

    fn lookup(self: &Arc<Self>) -> Lookup {
        let (mut state, now) = self.lock();
        if let Some(keys) = state.cache.fresh(now) {
            return Lookup::Fresh(keys);
        }
        let fetch = match state.cache.recent_failure(now) {
            Some(error) => Err(error),
            None => self.join_or_start(&mut state, now),
        };
        Lookup::Expired {
            stale: state.cache.usable(now, self.stale_for),
            fetch,
        }
    }

    /// Waits for a fetch. If it fails, falls back on the expired keys while they may still be used.
    async fn fetched_or_stale(&self, fetch: Result<InFlightFetch, Arc<FetchError>>) -> Result<Keys, GuardError> {
        self.outcome(fetch).await.map(Keys::Fetched).or_else(|error| {
            let (state, now) = self.lock();
            let keys = state.cache.usable(now, self.stale_for).map(Keys::Stale);
            keys.ok_or_else(|| state.cache.unavailable(state.cache.retry_delay(now), Some(error)))
        })
    }

    /// Fetches the keys again for an unknown key, at most once per interval. A fetch that is joined does not count.
    async fn refetched(self: &Arc<Self>) -> Result<Arc<KeySet>, GuardError> {
        let fetch = {
            let (mut state, now) = self.lock();
            let delay = state.cache.unknown_key_delay(now);
            if let Some(fetch) = self.in_flight(&state) {
                Ok(fetch.clone())
            } else if delay.is_zero() {
                state.cache.insert_unknown_key(now);
                self.join_or_start(&mut state, now)
            } else {
                let keys = state.cache.last_fetched();
                return keys.ok_or_else(|| state.cache.unavailable(delay, None));
            }
        };
        self.outcome(fetch).await.map_err(|error| {
            let (state, now) = self.lock();
            state.cache.unavailable(state.cache.unknown_key_delay(now), Some(error))
        })
    }

    /// Returns the in-flight fetch, or starts one.
    fn join_or_start(self: &Arc<Self>, state: &mut State, now: SystemTime) -> Result<InFlightFetch, Arc<FetchError>> {
        let runtime = Handle::try_current().map_err(|_| self.error(FetchErrorKind::NoRuntime))?;
        if let Some(fetch) = self.in_flight(state) {
            return Ok(fetch.clone());
        }
        state.fetches += 1;
        let id = state.fetches;
        let url = state.cache.url(now);
        let store = self.clone();
        let task = runtime.spawn(async move {
            let fetched = store.fetcher.fetch(url).await;
            store.complete(id, now, fetched.map_err(Arc::new))
        });
        let runtime_ended = self.error(FetchErrorKind::NoRuntime);
        let fetch = InFlightFetch {
            id,
            started_at: Instant::now(),
            task: task.abort_handle(),
            outcome: task.map(|joined| joined.unwrap_or(Err(runtime_ended))).boxed().shared(),
        };
        Ok(state.in_flight.insert(fetch).clone())
    }

    /// Returns the in-flight fetch, unless its runtime has ended or is blocked.
    fn in_flight<'a>(&self, state: &'a State) -> Option<&'a InFlightFetch> {
        let fetch = state.in_flight.as_ref()?;
        (!fetch.task.is_finished() && fetch.started_at.elapsed() < self.fetch_timeout()).then_some(fetch)
    }

    /// Waits for a fetch, by a timer of the caller's runtime: that of the fetch may be blocked.
    async fn outcome(&self, fetch: Result<InFlightFetch, Arc<FetchError>>) -> FetchOutcome {
        let fetch = fetch?;
        let Ok(outcome) = timeout(self.fetch_timeout(), fetch.outcome).await else {
            return self.complete(fetch.id, self.clock.now(), Err(self.error(FetchErrorKind::Stalled)));
        };
        outcome
    }

    /// Returns the timeout of a fetch. Its two requests time out earlier, unless their runtime is blocked.
    fn fetch_timeout(&self) -> Duration {
        self.fetcher.timeout * 3
    }

    /// Ends a fetch. Only the in-flight fetch changes the cache: the response to one that was given up may be old.
    fn complete(&self, id: u64, started_at: SystemTime, outcome: Result<FetchedKeys, Arc<FetchError>>) -> FetchOutcome {
        let (mut state, now) = self.lock();
        let is_in_flight = state.in_flight.take_if(|fetch| fetch.id == id).is_some();
        match outcome {
            Ok(FetchedKeys { keys, url, headers }) => {
                let keys = Arc::new(keys);
                if is_in_flight {
                    let cached = CachedKeys {
                        keys: keys.clone(),
                        fetched_at: started_at,
                        lifetime: lifetime(&headers, &self.lifetimes),
                    };
                    state.cache.insert(cached, url);
                }
                Ok(keys)
            }
            Err(error) => {
                if is_in_flight {
                    tracing::warn!(
                        error = %error,
                        cause = error.source().map(tracing::field::display),
                        "the keys of the issuer could not be fetched"
                    );
                    state.cache.insert_failure(now, error.clone());
                }
                Err(error)
            }
        }
    }

    fn error(&self, kind: FetchErrorKind) -> Arc<FetchError> {
        Arc::new(self.fetcher.source.error(kind))
    }

    /// Locks the state and reads the clock, in this order, so that no time in the state is later than the second value.
    fn lock(&self) -> (MutexGuard<'_, State>, SystemTime) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        state.cache.clamp_to(now);
        (state, now)
    }
}
