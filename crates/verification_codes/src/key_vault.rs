//! A cached secret of Key Vault.

use crate::azure::CloudError;
use azure_core::credentials::Secret;
use azure_security_keyvault_secrets::SecretClient;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A secret that is fetched on first use, and again when a caller reports that it was refused.
#[derive(Clone)]
pub(crate) struct VaultSecret {
    client: Arc<SecretClient>,
    name: String,
    cached: Arc<Mutex<Option<FetchedSecret>>>,
}

/// A secret and the number of the fetch that returned it.
#[derive(Clone)]
pub(crate) struct FetchedSecret {
    pub(crate) value: Secret,
    fetch: u64,
}

impl VaultSecret {
    pub(crate) fn new(client: SecretClient, name: String) -> Self {
        Self {
            client: Arc::new(client),
            name,
            cached: Arc::default(),
        }
    }

    /// Returns the cached secret, or fetches it.
    pub(crate) async fn get(&self) -> Result<FetchedSecret, CloudError> {
        let mut cached = self.cached.lock().await;
        match &*cached {
            Some(secret) => Ok(secret.clone()),
            None => self.fetch(&mut cached).await,
        }
    }

    /// Returns a secret that was fetched after the `refused` one. Concurrent callers share one fetch.
    pub(crate) async fn newer_than(&self, refused: &FetchedSecret) -> Result<FetchedSecret, CloudError> {
        let mut cached = self.cached.lock().await;
        match &*cached {
            Some(secret) if secret.fetch > refused.fetch => Ok(secret.clone()),
            _ => self.fetch(&mut cached).await,
        }
    }

    async fn fetch(&self, cached: &mut Option<FetchedSecret>) -> Result<FetchedSecret, CloudError> {
        let secret = self.client.get_secret(&self.name, None).await?.into_model()?;
        let value = secret.value.ok_or_else(|| CloudError::new("the secret has no value"))?;
        let secret = FetchedSecret {
            value: value.into(),
            fetch: cached.as_ref().map_or(0, |cached| cached.fetch + 1),
        };
        *cached = Some(secret.clone());
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fakes::FakeKeyVault;
    use tokio::task::JoinSet;

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
            tasks.spawn(async move { secret.newer_than(&refused).await.unwrap() });
        }
        for newer in tasks.join_all().await {
            assert_eq!(newer.value.secret(), "another");
        }
        assert_eq!(vault.reads(), 2);
        assert_eq!(secret.get().await.unwrap().value.secret(), "another");
    }
}
