//! The cached token of a scope, and its refreshes.

use azure_core::{
    Result,
    credentials::{AccessToken, Secret},
    time::Duration,
};
use client_core::{
    clock::Clock,
    single_flight::{InFlight, SharedError, SharedResult, SingleFlight},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A token that expires within this time is refreshed. Clients of Azure services request the next one as early.
const REFRESH_BEFORE_EXPIRY: Duration = Duration::minutes(5);

/// The pause after a failed refresh, in which the old token is returned.
const RETRY_PAUSE: Duration = Duration::seconds(30);

/// The pause after a forced refresh, in which no token is invalidated: a service that refuses every token must not cause a
/// request to Entra ID for each call.
const FORCE_PAUSE: Duration = Duration::seconds(30);

/// The cached token of a scope.
#[derive(Debug)]
pub(super) struct TokenCache {
    clock: Clock,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<AccessToken>,
    /// The end of the pause after a failed refresh, by the stopwatch of the clock.
    paused_until: Option<Duration>,
    /// The invalidated token, until another takes its place.
    invalidated: Option<Secret>,
    /// The end of the pause after a forced refresh, by the stopwatch of the clock.
    kept_until: Option<Duration>,
    acquisition: SingleFlight<AccessToken>,
}

/// The result of a look at the cache.
enum Lookup {
    Token(AccessToken),
    /// An acquisition, and the old token if it is still valid.
    Acquisition(InFlight<AccessToken>, Option<AccessToken>),
}

impl TokenCache {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            state: Arc::default(),
        }
    }

    /// Returns the cached token, or acquires one.
    ///
    /// A token that expires soon is refreshed by the first caller who finds it so. It is returned to the others meanwhile, and to
    /// all if the refresh fails. Without a valid token, concurrent callers share an acquisition, with its token or failure.
    ///
    /// # Arguments
    ///
    /// * `acquire` - Acquires a token; with `true`, a new one is forced.
    pub(super) async fn get<F>(&self, acquire: impl FnOnce(bool) -> F) -> Result<AccessToken>
    where
        F: Future<Output = Result<AccessToken>> + Send + 'static,
    {
        let (acquisition, old) = match self.look_up(acquire) {
            Lookup::Token(token) => return Ok(token),
            Lookup::Acquisition(acquisition, old) => (acquisition, old),
        };
        match (acquisition.result().await, old) {
            (Err(_), Some(old)) if old.expires_on > self.clock.now() => Ok(old),
            (result, _) => result.map_err(SharedError::into_error),
        }
    }

    /// Drops a token that a service refused, if it is cached. The next acquisition is forced.
    pub(super) fn invalidate(&self, token: &Secret) {
        let mut state = lock(&self.state);
        let is_kept = state.kept_until.is_some_and(|end| self.clock.elapsed() < end);
        if !is_kept && state.token.as_ref().is_some_and(|cached| cached.token == *token) {
            state.invalidated = state.token.take().map(|cached| cached.token);
        }
    }

    fn look_up<F>(&self, acquire: impl FnOnce(bool) -> F) -> Lookup
    where
        F: Future<Output = Result<AccessToken>> + Send + 'static,
    {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        let token = state.token.clone().filter(|token| token.expires_on > now);
        if let Some(token) = &token {
            let is_paused = state.paused_until.is_some_and(|end| self.clock.elapsed() < end);
            if is_paused || token.expires_on - now > REFRESH_BEFORE_EXPIRY {
                return Lookup::Token(token.clone());
            }
        }
        let mut is_first = false;
        let is_forced = state.invalidated.is_some();
        let acquisition = state.acquisition.join(|| {
            is_first = true;
            store(self.state.clone(), self.clock.clone(), is_forced, acquire(is_forced))
        });
        match token {
            Some(token) if !is_first => Lookup::Token(token),
            old => Lookup::Acquisition(acquisition, old),
        }
    }
}

/// Stores the result of an acquisition.
async fn store(
    state: Arc<Mutex<State>>,
    clock: Clock,
    is_forced: bool,
    acquisition: impl Future<Output = Result<AccessToken>>,
) -> SharedResult<AccessToken> {
    let result = acquisition.await;
    let mut state = lock(&state);
    match result {
        Ok(token) => {
            let is_invalidated = state.invalidated.as_ref() == Some(&token.token);
            if is_forced {
                state.kept_until = Some(clock.elapsed() + FORCE_PAUSE);
                if is_invalidated {
                    tracing::warn!(
                        "the sidecar returned a token again that a service had refused; allow overrides on the route in its \
                         configuration (Sidecar:AllowOverrides), or check why the service refuses the token"
                    );
                }
            }
            // An acquisition that began before the token was invalidated can return it from the sidecar's cache.
            if is_forced || !is_invalidated {
                state.token = Some(token.clone());
                state.invalidated = None;
                state.paused_until = None;
            }
            Ok(token)
        }
        Err(error) => {
            state.paused_until = Some(clock.elapsed() + RETRY_PAUSE);
            Err(error.into())
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::{Error, error::ErrorKind, time::parse_rfc3339};
    use client_core::clock::ManualTime;
    use futures::{FutureExt as _, channel::oneshot, future::pending};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A cache whose time a test moves.
    struct TestCache {
        time: ManualTime,
        cache: TokenCache,
    }

    impl TestCache {
        fn new() -> Self {
            let time = ManualTime::new(parse_rfc3339("2026-08-01T00:00:00Z").unwrap());
            let cache = TokenCache::new(time.clock());
            Self { time, cache }
        }

        fn token(&self, name: &str, lifetime: Duration) -> AccessToken {
            AccessToken::new(name.to_owned(), self.time.clock().now() + lifetime)
        }

        /// Returns the name of the token that a caller gets if the sidecar returns a new one with this lifetime.
        async fn get(&self, name: &str, lifetime: Duration) -> String {
            let token = self.token(name, lifetime);
            let token = self.cache.get(|_| async { Ok(token) }).await.unwrap();
            token.token.secret().to_owned()
        }

        /// Returns the name of the token that a caller gets, and whether a new one was forced, if one was acquired.
        async fn get_with_force(&self, name: &str) -> (String, Option<bool>) {
            let token = self.token(name, Duration::HOUR);
            let mut forced = None;
            let acquire = |is_forced| {
                forced = Some(is_forced);
                async { Ok(token) }
            };
            let token = self.cache.get(acquire).await.unwrap();
            (token.token.secret().to_owned(), forced)
        }

        /// Returns the same if the sidecar fails.
        async fn get_from_failing(&self) -> Result<String> {
            let failure = async { Err(Error::with_message(ErrorKind::Credential, "no")) };
            let token = self.cache.get(|_| failure).await?;
            Ok(token.token.secret().to_owned())
        }
    }

    #[tokio::test]
    async fn tokens_are_cached_until_five_minutes_before_expiry() {
        let test = TestCache::new();
        assert_eq!(test.get("a", Duration::HOUR).await, "a");
        test.time.advance(Duration::minutes(55) - Duration::SECOND);
        assert_eq!(test.get("b", Duration::HOUR).await, "a");
        test.time.advance(Duration::SECOND);
        assert_eq!(test.get("b", Duration::HOUR).await, "b");
    }

    #[tokio::test]
    async fn old_tokens_are_returned_until_their_expiry() {
        let test = TestCache::new();
        assert!(test.get_from_failing().await.is_err());
        assert_eq!(test.get("a", Duration::minutes(4)).await, "a");
        assert_eq!(test.get_from_failing().await.unwrap(), "a");
        test.time.advance(Duration::minutes(4));
        assert!(test.get_from_failing().await.is_err());
        assert_eq!(test.get("b", Duration::HOUR).await, "b");
    }

    #[tokio::test]
    async fn failed_refreshes_are_retried_after_30_seconds() {
        let test = TestCache::new();
        test.get("a", Duration::minutes(4)).await;
        test.get_from_failing().await.unwrap();
        for _ in 0..2 {
            assert_eq!(test.get("b", Duration::HOUR).await, "a");
            test.time.advance(Duration::seconds(15));
        }
        assert_eq!(test.get("b", Duration::HOUR).await, "b");
    }

    #[tokio::test]
    async fn without_a_token_the_next_caller_asks_at_once() {
        let test = TestCache::new();
        test.get_from_failing().await.unwrap_err();
        assert_eq!(test.get("a", Duration::HOUR).await, "a");
    }

    #[tokio::test]
    async fn a_token_that_expires_during_its_refresh_is_not_returned() {
        let test = TestCache::new();
        test.get("a", Duration::minutes(4)).await;
        let time = test.time.clone();
        let failure = async move {
            time.advance(Duration::minutes(4));
            Err(Error::with_message(ErrorKind::Credential, "no"))
        };
        let error = test.cache.get(|_| failure).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (&ErrorKind::Credential, "no")
        );
    }

    #[tokio::test]
    async fn others_get_the_old_token_during_a_refresh() {
        let test = TestCache::new();
        test.get("a", Duration::minutes(4)).await;
        let mut refresh = Box::pin(test.cache.get(|_| pending()));
        assert!((&mut refresh).now_or_never().is_none());
        let other = test.get("b", Duration::HOUR).now_or_never();
        assert_eq!(other.as_deref(), Some("a"));
        // A refresh whose caller is gone is not a failure.
        drop(refresh);
        assert_eq!(test.get("b", Duration::HOUR).await, "b");
    }

    #[tokio::test]
    async fn invalidated_tokens_are_replaced_by_force() {
        let test = TestCache::new();
        assert_eq!(test.get_with_force("a").await, ("a".to_owned(), Some(false)));
        test.cache.invalidate(&"another".into());
        assert_eq!(test.get_with_force("b").await, ("a".to_owned(), None));
        test.cache.invalidate(&"a".into());
        assert!(test.get_from_failing().await.is_err());
        assert_eq!(test.get_with_force("b").await, ("b".to_owned(), Some(true)));
        assert_eq!(test.get_with_force("c").await, ("b".to_owned(), None));
        // The next refresh is a usual one.
        test.time.advance(Duration::minutes(56));
        assert_eq!(test.get_with_force("c").await, ("c".to_owned(), Some(false)));
    }

    #[tokio::test]
    async fn tokens_are_forced_once_in_30_seconds() {
        let test = TestCache::new();
        test.get_with_force("a").await;
        test.cache.invalidate(&"a".into());
        // The sidecar ignores the override.
        assert_eq!(test.get_with_force("a").await, ("a".to_owned(), Some(true)));
        for _ in 0..2 {
            test.cache.invalidate(&"a".into());
            assert_eq!(test.get_with_force("b").await, ("a".to_owned(), None));
            test.time.advance(Duration::seconds(15));
        }
        test.cache.invalidate(&"a".into());
        assert_eq!(test.get_with_force("b").await, ("b".to_owned(), Some(true)));
    }

    #[tokio::test]
    async fn refreshes_in_flight_do_not_restore_invalidated_tokens() {
        for (returned, next) in [("a", Some(true)), ("b", None)] {
            let test = TestCache::new();
            test.get("a", Duration::minutes(4)).await;
            let (sender, receiver) = oneshot::channel();
            let mut refresh = Box::pin(test.cache.get(|_| async { Ok(receiver.await.unwrap()) }));
            assert!((&mut refresh).now_or_never().is_none());
            test.cache.invalidate(&"a".into());
            sender.send(test.token(returned, Duration::HOUR)).unwrap();
            assert_eq!(refresh.await.unwrap().token.secret(), returned);
            assert_eq!(test.get_with_force("c").await.1, next, "{returned}");
        }
    }

    #[tokio::test]
    async fn concurrent_callers_share_an_acquisition() {
        let test = TestCache::new();
        let token = test.token("a", Duration::HOUR);
        let acquisitions = Arc::new(AtomicUsize::new(0));
        let ask = || {
            let (token, acquisitions) = (token.clone(), acquisitions.clone());
            test.cache.get(|_| async move {
                tokio::task::yield_now().await;
                acquisitions.fetch_add(1, Ordering::Relaxed);
                Ok(token)
            })
        };
        let (a, b, c) = futures::join!(ask(), ask(), ask());
        a.and(b).and(c).unwrap();
        assert_eq!(acquisitions.load(Ordering::Relaxed), 1);
    }
}
