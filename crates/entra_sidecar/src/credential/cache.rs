//! Tokens that are still good.

use azure_core::{
    Error, Result,
    credentials::AccessToken,
    error::ErrorKind,
    time::{Duration, OffsetDateTime},
};
use futures::lock::Mutex;
use std::{
    fmt,
    sync::{self, Arc, MutexGuard, PoisonError},
    time::Instant,
};

/// A token that expires within this time is replaced. Clients of Azure services ask for the next one as early.
const REFRESH_BEFORE: Duration = Duration::minutes(5);

/// How long a token that could not be replaced is used before that is tried again.
const PAUSE: std::time::Duration = std::time::Duration::from_secs(30);

/// The last token of each scope, which the sidecar is asked for once, however many ask for it.
#[derive(Debug)]
pub(super) struct TokenCache(Vec<Entry>);

/// What is known of the tokens of a scope.
#[derive(Debug, Default)]
struct Entry {
    /// Held by the one who acquires a token.
    acquiring: Mutex<()>,
    last: sync::Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    token: Option<AccessToken>,
    failure: Option<Failure>,
}

#[derive(Clone, Debug)]
struct Failure {
    at: Instant,
    error: Arc<Error>,
}

impl TokenCache {
    pub(super) fn new(len: usize) -> Self {
        Self((0..len).map(|_| Entry::default()).collect())
    }

    /// The token of a scope: the last one if it is good for some time, or else the next. A token that cannot be replaced
    /// is used until it expires.
    ///
    /// While one caller acquires a token, the others get the last one if it is still valid, and else wait and share what
    /// comes of it, so that a sidecar that does not answer keeps nobody waiting longer than once.
    pub(super) async fn get<F>(&self, index: usize, acquire: impl FnOnce() -> F) -> Result<AccessToken>
    where
        F: Future<Output = Result<AccessToken>> + Send,
    {
        let Some(entry) = self.0.get(index) else {
            return acquire().await;
        };
        let before = match entry.find() {
            Found::Token(token) => return Ok(token),
            Found::ToBeReplaced(token) => match entry.acquiring.try_lock() {
                Some(_acquiring) => return Ok(entry.acquire(acquire).await.unwrap_or(token)),
                None => return Ok(token),
            },
            Found::Nothing(failure) => failure,
        };
        let _acquiring = entry.acquiring.lock().await;
        match entry.find() {
            Found::Token(token) | Found::ToBeReplaced(token) => Ok(token),
            Found::Nothing(Some(failure))
                if before.is_none_or(|before| !Arc::ptr_eq(&before.error, &failure.error)) =>
            {
                Err(shared(failure.error))
            }
            Found::Nothing(_) => entry.acquire(acquire).await.map_err(shared),
        }
    }
}

/// What there is for someone who asks.
enum Found {
    Token(AccessToken),
    /// A token that is valid, but not for long.
    ToBeReplaced(AccessToken),
    /// No valid token, and how acquiring the last one failed, if it did.
    Nothing(Option<Failure>),
}

impl Entry {
    fn find(&self) -> Found {
        let last = self.last();
        let Some(token) = last.token.as_ref().filter(|token| is_good_for(token, Duration::ZERO)) else {
            return Found::Nothing(last.failure.clone());
        };
        let is_paused = last
            .failure
            .as_ref()
            .is_some_and(|failure| failure.is_recent(Instant::now()));
        if is_paused || is_good_for(token, REFRESH_BEFORE) {
            Found::Token(token.clone())
        } else {
            Found::ToBeReplaced(token.clone())
        }
    }

    async fn acquire<F>(&self, acquire: impl FnOnce() -> F) -> std::result::Result<AccessToken, Arc<Error>>
    where
        F: Future<Output = Result<AccessToken>> + Send,
    {
        let acquired = acquire().await.map_err(Arc::new);
        let mut last = self.last();
        match &acquired {
            Ok(token) => {
                *last = Last {
                    token: Some(token.clone()),
                    failure: None,
                };
            }
            Err(error) => {
                last.failure = Some(Failure {
                    at: Instant::now(),
                    error: error.clone(),
                });
            }
        }
        acquired
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Failure {
    /// Whether it is too early for another try.
    fn is_recent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) < PAUSE
    }
}

fn is_good_for(token: &AccessToken, time: Duration) -> bool {
    token.expires_on - OffsetDateTime::now_utc() > time
}

/// The error of one who shares a failure with others.
fn shared(error: Arc<Error>) -> Error {
    let text = error.to_string();
    Error::with_error(ErrorKind::Credential, Shared(error), text)
}

/// An error that others have too.
#[derive(Debug)]
struct Shared(Arc<Error>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Shared {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn token(name: &str, lifetime: Duration) -> AccessToken {
        AccessToken::new(name.to_owned(), OffsetDateTime::now_utc() + lifetime)
    }

    async fn get(cache: &TokenCache, next: Result<AccessToken>) -> Result<String> {
        let token = cache.get(0, || async { next }).await?;
        Ok(token.token.secret().to_owned())
    }

    fn failure() -> Result<AccessToken> {
        Err(Error::with_message(ErrorKind::Credential, "no"))
    }

    #[tokio::test]
    async fn a_token_is_kept_until_shortly_before_it_expires() {
        // The margins are hours, so that the clock does not matter.
        let cache = TokenCache::new(1);
        assert_eq!(get(&cache, Ok(token("a", Duration::minutes(4)))).await.unwrap(), "a");
        assert_eq!(get(&cache, Ok(token("b", Duration::hours(9)))).await.unwrap(), "b");
        assert_eq!(get(&cache, Ok(token("c", Duration::hours(9)))).await.unwrap(), "b");
    }

    #[tokio::test]
    async fn a_token_that_cannot_be_replaced_is_used_until_it_expires() {
        let cache = TokenCache::new(1);
        assert!(get(&cache, failure()).await.is_err());
        assert_eq!(get(&cache, Ok(token("a", Duration::minutes(4)))).await.unwrap(), "a");
        assert_eq!(get(&cache, failure()).await.unwrap(), "a");
        let cache = TokenCache::new(1);
        get(&cache, Ok(token("a", -Duration::hours(1)))).await.unwrap();
        assert!(get(&cache, failure()).await.is_err());
        assert_eq!(get(&cache, Ok(token("b", Duration::hours(9)))).await.unwrap(), "b");
    }

    #[test]
    fn another_try_waits_for_half_a_minute() {
        let at = Instant::now();
        let failed = Failure {
            at,
            error: Arc::new(Error::with_message(ErrorKind::Credential, "no")),
        };
        for (seconds, is_recent) in [(0, true), (29, true), (30, false)] {
            let now = at + std::time::Duration::from_secs(seconds);
            assert_eq!(failed.is_recent(now), is_recent, "{seconds}");
        }
    }

    #[tokio::test]
    async fn whoever_asks_at_the_same_time_gets_the_same_token() {
        let cache = TokenCache::new(1);
        let acquired = AtomicUsize::new(0);
        let ask = || async {
            let acquire = || async {
                tokio::task::yield_now().await;
                acquired.fetch_add(1, Ordering::Relaxed);
                Ok(token("a", Duration::hours(9)))
            };
            cache.get(0, acquire).await.map(drop)
        };
        let (a, b, c) = futures::join!(ask(), ask(), ask());
        a.and(b).and(c).unwrap();
        assert_eq!(acquired.into_inner(), 1);
    }
}
