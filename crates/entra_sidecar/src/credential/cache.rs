//! Tokens that are still good.

use azure_core::{
    Result,
    credentials::AccessToken,
    time::{Duration, OffsetDateTime},
};
use futures::lock::Mutex;

/// A token that expires within this time is replaced. Clients of Azure services ask for the next one as early.
const REFRESH_BEFORE: Duration = Duration::minutes(5);

/// The last token of each scope. Whoever asks while one is being acquired waits for it, so the sidecar is asked once.
#[derive(Debug)]
pub(super) struct TokenCache(Vec<Mutex<Option<AccessToken>>>);

impl TokenCache {
    pub(super) fn new(len: usize) -> Self {
        Self((0..len).map(|_| Mutex::default()).collect())
    }

    /// The token of a scope: the last one if it is good for some time, or else the next. A token that cannot be replaced
    /// is used until it expires.
    pub(super) async fn get<F>(&self, index: usize, acquire: impl FnOnce() -> F) -> Result<AccessToken>
    where
        F: Future<Output = Result<AccessToken>> + Send,
    {
        let Some(entry) = self.0.get(index) else {
            return acquire().await;
        };
        let mut last = entry.lock().await;
        if let Some(token) = last.as_ref().filter(|token| is_good_for(token, REFRESH_BEFORE)) {
            return Ok(token.clone());
        }
        match acquire().await {
            Ok(token) => {
                *last = Some(token.clone());
                Ok(token)
            }
            Err(error) => match last.as_ref().filter(|token| is_good_for(token, Duration::ZERO)) {
                Some(token) => Ok(token.clone()),
                None => Err(error),
            },
        }
    }
}

fn is_good_for(token: &AccessToken, time: Duration) -> bool {
    token.expires_on - OffsetDateTime::now_utc() > time
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::{Error, error::ErrorKind};
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
        assert_eq!(get(&cache, Ok(token("a", -Duration::hours(1)))).await.unwrap(), "a");
        assert!(get(&cache, failure()).await.is_err());
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
