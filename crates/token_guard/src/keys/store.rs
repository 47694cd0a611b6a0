//! The cache of an issuer's keys.

use super::{
    fetch::Fetcher,
    fetch_error::{FetchError, FetchErrorKind},
    key_set::KeySet,
    verifying_key::VerifyingKey,
};
use crate::{
    algorithm::Algorithm,
    clock::{Clock, age},
    error::{GuardError, KeysUnavailable, TokenFault},
};
use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    error::Error,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::{Duration, SystemTime},
};
use tokio::runtime::Handle;
use url::Url;

/// How often tokens with unknown keys can make the guard fetch keys that are not due. Anybody can send such tokens.
const UNKNOWN_KEY_INTERVAL: Duration = Duration::from_secs(30);

/// How long the issuer is left alone after a fetch that failed.
const RETRY_INTERVAL: Duration = Duration::from_secs(5);

/// How long a discovery document is relied on.
const DISCOVERY_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

type Fetched = Result<Arc<KeySet>, Arc<FetchError>>;

/// A fetch that everybody who needs it waits for. It is a task of its own, so that it goes on when they do not.
type Flight = Shared<BoxFuture<'static, Fetched>>;

/// Keeps the keys, and fetches them when they are due or a token names another one.
pub(crate) struct KeyStore {
    fetcher: Fetcher,
    clock: Clock,
    /// How long keys that are due are used while the issuer cannot be reached.
    stale_for: Duration,
    state: Mutex<State>,
    me: Weak<Self>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    flight: Option<Flight>,
    /// Where the keys are, until a fetch fails or the keys have been fetched there for a day.
    discovered: Option<(Url, SystemTime)>,
    /// The last failure, if nothing has been fetched since.
    failure: Option<(SystemTime, Arc<FetchError>)>,
    /// When a token with an unknown key last started a fetch.
    unknown_key_at: Option<SystemTime>,
}

struct Held {
    keys: Arc<KeySet>,
    fetched_at: SystemTime,
    lifetime: Duration,
}

/// The keys that a token is checked with.
enum Current {
    /// They are not due yet.
    Fresh(Arc<KeySet>),
    /// They have been fetched for this token, or for another one at the same time.
    Fetched(Arc<KeySet>),
    /// They are due, and cannot be fetched.
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
        let current = self.current().await?;
        let (Current::Fresh(keys) | Current::Fetched(keys) | Current::Stale(keys)) = &current;
        match keys.find(id, algorithm) {
            Err(TokenFault::UnknownKey) => {}
            found => return Ok(found?),
        }
        match current {
            // The issuer may have this key by now, which nobody can tell.
            Current::Stale(_) => Err(self.state().unavailable(self.clock.now(), RETRY_INTERVAL, None)),
            Current::Fresh(_) if id.is_some() => Ok(self.refetched().await?.find(id, algorithm)?),
            Current::Fresh(_) | Current::Fetched(_) => Err(TokenFault::UnknownKey.into()),
        }
    }

    /// Fetches the keys if they are due.
    pub(crate) async fn load(&self) -> Result<(), GuardError> {
        self.current().await.map(drop)
    }

    async fn current(&self) -> Result<Current, GuardError> {
        let flight = {
            let now = self.clock.now();
            let mut state = self.state();
            if let Some(held) = state.held.as_ref().filter(|held| held.is_fresh(now)) {
                return Ok(Current::Fresh(held.keys.clone()));
            }
            if state.is_failing(now) {
                let usable = state.usable(now, self.stale_for);
                return usable.ok_or_else(|| state.unavailable(now, RETRY_INTERVAL, None));
            }
            self.join(&mut state)
        };
        match flight.await {
            Ok(keys) => Ok(Current::Fetched(keys)),
            Err(error) => {
                let state = self.state();
                let now = self.clock.now();
                state
                    .usable(now, self.stale_for)
                    .ok_or_else(|| state.unavailable(now, RETRY_INTERVAL, Some(error)))
            }
        }
    }

    /// The keys after a fetch ahead of time, if there may be one now.
    async fn refetched(&self) -> Result<Arc<KeySet>, GuardError> {
        let flight = {
            let now = self.clock.now();
            let mut state = self.state();
            let recent = state
                .unknown_key_at
                .and_then(|at| age(at, now))
                .is_some_and(|age| age < UNKNOWN_KEY_INTERVAL);
            if !recent {
                state.unknown_key_at = Some(now);
            } else if state.flight.as_ref().is_none_or(|flight| flight.peek().is_some()) {
                return match (&state.failure, &state.held) {
                    (None, Some(held)) => Ok(held.keys.clone()),
                    _ => Err(state.unavailable(now, UNKNOWN_KEY_INTERVAL, None)),
                };
            }
            self.join(&mut state)
        };
        match flight.await {
            Ok(keys) => Ok(keys),
            Err(error) => Err(self
                .state()
                .unavailable(self.clock.now(), UNKNOWN_KEY_INTERVAL, Some(error))),
        }
    }

    /// Joins the fetch that is under way, or starts one.
    fn join(&self, state: &mut State) -> Flight {
        if let Some(flight) = state.flight.as_ref().filter(|flight| flight.peek().is_none()) {
            return flight.clone();
        }
        let url = self.fetcher.source.url().clone();
        let flight = match (Handle::try_current(), self.me.upgrade()) {
            (Ok(runtime), Some(store)) => {
                let task = runtime.spawn(async move { store.fetch().await });
                async move {
                    task.await
                        .unwrap_or_else(|_| Err(Arc::new(FetchErrorKind::Runtime.at(&url))))
                }
                .boxed()
            }
            _ => async move { Err(Arc::new(FetchErrorKind::Runtime.at(&url))) }.boxed(),
        };
        state.flight.insert(flight.shared()).clone()
    }

    async fn fetch(&self) -> Fetched {
        let outcome = self.discover_and_fetch().await;
        let now = self.clock.now();
        let mut state = self.state();
        state.flight = None;
        match outcome {
            Ok((keys, lifetime)) => {
                let keys = Arc::new(keys);
                state.failure = None;
                state.held = Some(Held {
                    keys: keys.clone(),
                    fetched_at: now,
                    lifetime,
                });
                Ok(keys)
            }
            Err(error) => {
                tracing::warn!(
                    error = %error,
                    cause = error.source().map(tracing::field::display),
                    "the keys of the issuer could not be fetched"
                );
                let error = Arc::new(error);
                state.discovered = None;
                state.failure = Some((now, error.clone()));
                Err(error)
            }
        }
    }

    async fn discover_and_fetch(&self) -> Result<(KeySet, Duration), FetchError> {
        let now = self.clock.now();
        let known = self.state().discovered.clone();
        let known = known.filter(|(_, at)| age(*at, now).is_some_and(|age| age < DISCOVERY_LIFETIME));
        let url = if let Some((url, _)) = known {
            url
        } else {
            let url = self.fetcher.discover().await?;
            self.state().discovered = Some((url.clone(), now));
            url
        };
        self.fetcher.keys(&url).await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn is_fresh(&self, now: SystemTime) -> bool {
        age(self.fetched_at, now).is_some_and(|age| age < self.lifetime)
    }
}

impl State {
    /// Whether a fetch failed so recently that the next has to wait.
    fn is_failing(&self, now: SystemTime) -> bool {
        let failed = self.failure.as_ref().and_then(|(at, _)| age(*at, now));
        failed.is_some_and(|age| age < RETRY_INTERVAL)
    }

    /// The keys that are held, as long as they may be used without a fetch that succeeds.
    fn usable(&self, now: SystemTime, stale_for: Duration) -> Option<Current> {
        let held = self.held.as_ref()?;
        let usable_for = held.lifetime.saturating_add(stale_for);
        let usable = age(held.fetched_at, now).is_some_and(|age| age < usable_for);
        usable.then(|| Current::Stale(held.keys.clone()))
    }

    /// The error after this failure, or after the last one, which is followed by another try after an interval.
    fn unavailable(&self, now: SystemTime, interval: Duration, error: Option<Arc<FetchError>>) -> GuardError {
        let (failed, last) = match &self.failure {
            Some((at, last)) => (age(*at, now), Some(last.clone())),
            None => (None, None),
        };
        GuardError::KeysUnavailable(KeysUnavailable {
            retry_after: interval.saturating_sub(failed.unwrap_or_default()),
            source: error.or(last).map(|error| error as Arc<dyn Error + Send + Sync>),
        })
    }
}
