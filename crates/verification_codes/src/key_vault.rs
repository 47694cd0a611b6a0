//! A cached secret of Key Vault.

use crate::azure::CloudError;
use azure_core::credentials::Secret;
use azure_security_keyvault_secrets::SecretClient;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Mutex, time::Instant};

/// The bounds of the pause after a fetch that brought nothing new. Each further one is twice as long.
const MIN_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(30);

/// A secret that is fetched on first use, and again when a caller reports that it was refused. While fetches fail, or bring
/// the refused value again, there are pauses between them.
#[derive(Clone)]
pub(crate) struct VaultSecret {
    client: Arc<SecretClient>,
    name: String,
    cache: Arc<Mutex<Cache>>,
}

/// A secret and the number of the fetch that returned it.
#[derive(Clone)]
pub(crate) struct FetchedSecret {
    pub(crate) value: Secret,
    fetch: u64,
}

#[derive(Default)]
struct Cache {
    secret: Option<FetchedSecret>,
    /// The failure of the last fetch.
    failure: Option<String>,
    /// The time of the next fetch, and the pause before it, after one that brought nothing new.
    paused: Option<(Instant, Duration)>,
}

impl VaultSecret {
    pub(crate) fn new(client: SecretClient, name: String) -> Self {
        Self {
            client: Arc::new(client),
            name,
            cache: Arc::default(),
        }
    }

    /// Returns the cached secret, or fetches it.
    pub(crate) async fn get(&self) -> Result<FetchedSecret, CloudError> {
        let mut cache = self.cache.lock().await;
        if cache.secret.is_none() {
            self.fetch(&mut cache).await?;
        }
        let secret = cache.secret.clone();
        secret.ok_or_else(|| CloudError::new("the secret has no value"))
    }

    /// Returns a secret other than the `refused` one, if the vault has it. Concurrent callers share one fetch.
    pub(crate) async fn newer_than(&self, refused: &FetchedSecret) -> Result<Option<FetchedSecret>, CloudError> {
        let mut cache = self.cache.lock().await;
        let newer = |cache: &Cache| cache.secret.clone().filter(|secret| secret.fetch > refused.fetch);
        if newer(&cache).is_none() {
            self.fetch(&mut cache).await?;
        }
        Ok(newer(&cache))
    }

    /// Fetches the secret, unless it is too early.
    async fn fetch(&self, cache: &mut Cache) -> Result<(), CloudError> {
        if let Some((next, _)) = cache.paused
            && Instant::now() < next
        {
            return match &cache.failure {
                Some(failure) => Err(CloudError::new(format!("{failure}; it is not requested for a while"))),
                None => Ok(()),
            };
        }
        let fetched = self.request().await;
        let known = cache.secret.as_ref();
        match &fetched {
            Ok(value) if known.is_none_or(|known| known.value.secret() != value.secret()) => {
                *cache = Cache {
                    secret: Some(FetchedSecret {
                        value: value.clone(),
                        fetch: known.map_or(0, |known| known.fetch + 1),
                    }),
                    ..Cache::default()
                };
                return Ok(());
            }
            Ok(_) => cache.failure = None,
            Err(error) => cache.failure = Some(error.to_string()),
        }
        let pause = cache.paused.map_or(MIN_PAUSE, |(_, pause)| (pause * 2).min(MAX_PAUSE));
        cache.paused = Some((Instant::now() + pause, pause));
        fetched.map(drop)
    }

    async fn request(&self) -> Result<Secret, CloudError> {
        let secret = self.client.get_secret(&self.name, None).await?.into_model()?;
        let value = secret.value.ok_or_else(|| CloudError::new("the secret has no value"))?;
        Ok(value.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::FakeKeyVault;
    use tokio::{
        task::JoinSet,
        time::{advance, pause, resume},
    };

    #[tokio::test]
    async fn concurrent_refusals_share_a_fetch() {
        let vault = FakeKeyVault::start("third-party-api-key", "d0c5atM1cr0s0ft").unwrap();
        let secret = VaultSecret::new(vault.client().unwrap(), "third-party-api-key".to_owned());
        let refused = secret.get().await.unwrap();
        assert_eq!(refused.value.secret(), "d0c5atM1cr0s0ft");
        vault.set_secret("another");
        let mut tasks = JoinSet::new();
        for _ in 0..20 {
            let (secret, refused) = (secret.clone(), refused.clone());
            tasks.spawn(async move { secret.newer_than(&refused).await.unwrap().unwrap() });
        }
        for newer in tasks.join_all().await {
            assert_eq!(newer.value.secret(), "another");
        }
        assert_eq!(vault.reads(), 2);
        assert_eq!(secret.get().await.unwrap().value.secret(), "another");
    }

    /// Moves the clock, which runs on afterwards.
    async fn wait(seconds: u64) {
        pause();
        advance(Duration::from_secs(seconds)).await;
        resume();
    }

    #[tokio::test]
    async fn refused_secret_is_fetched_with_pauses() {
        let vault = FakeKeyVault::start("third-party-api-key", "d0c5atM1cr0s0ft").unwrap();
        let secret = VaultSecret::new(vault.client().unwrap(), "third-party-api-key".to_owned());
        let refused = secret.get().await.unwrap();
        // The pauses after a fetch double, up to half a minute.
        let mut expected = 1;
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            expected += 1;
            for _ in 0..20 {
                assert!(secret.newer_than(&refused).await.unwrap().is_none());
            }
            assert_eq!(vault.reads(), expected, "before a pause of {pause} s");
            wait(pause).await;
        }
        vault.set_secret("another");
        let newer = secret.newer_than(&refused).await.unwrap().unwrap();
        assert_eq!(newer.value.secret(), "another");
        // A new value ends the pauses: it can be replaced at once.
        vault.set_secret("third");
        let newest = secret.newer_than(&newer).await.unwrap().unwrap();
        assert_eq!(newest.value.secret(), "third");
    }

    #[tokio::test]
    async fn failing_vault_is_asked_with_pauses() {
        let vault = FakeKeyVault::start("third-party-api-key", "d0c5atM1cr0s0ft").unwrap();
        let secret = VaultSecret::new(vault.client().unwrap(), "third-party-api-key".to_owned());
        vault.remove_secret();
        let first = secret.get().await.err().unwrap();
        assert_eq!(first.to_string(), "it answered 404 SecretNotFound");
        vault.set_secret("d0c5atM1cr0s0ft");
        let second = secret.get().await.err().unwrap();
        assert_eq!(
            second.to_string(),
            "it answered 404 SecretNotFound; it is not requested for a while"
        );
        assert_eq!(vault.reads(), 0);
        wait(1).await;
        assert_eq!(secret.get().await.unwrap().value.secret(), "d0c5atM1cr0s0ft");
    }
}
