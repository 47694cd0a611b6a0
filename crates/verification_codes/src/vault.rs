//! The secret that Key Vault keeps: the key of the number service.

use crate::cloud_error::CloudError;
use azure_core::credentials::Secret;
use azure_security_keyvault_secrets::SecretClient;
use std::sync::Arc;
use tokio::sync::Mutex;

/// A secret that is read when it is first needed, and again when somebody says that it is no longer good.
#[derive(Clone)]
pub(crate) struct VaultSecret {
    client: Arc<SecretClient>,
    name: String,
    last: Arc<Mutex<Option<ReadSecret>>>,
}

/// A secret, and which reading it is from.
#[derive(Clone)]
pub(crate) struct ReadSecret {
    pub(crate) value: Secret,
    reading: u64,
}

impl VaultSecret {
    pub(crate) fn new(client: SecretClient, name: String) -> Self {
        Self {
            client: Arc::new(client),
            name,
            last: Arc::default(),
        }
    }

    /// The secret as it was last read.
    pub(crate) async fn get(&self) -> Result<ReadSecret, CloudError> {
        let mut last = self.last.lock().await;
        match &*last {
            Some(secret) => Ok(secret.clone()),
            None => self.read(&mut last).await,
        }
    }

    /// A secret from a later reading than this one. All who ask for it at once share one.
    pub(crate) async fn later_than(&self, refused: &ReadSecret) -> Result<ReadSecret, CloudError> {
        let mut last = self.last.lock().await;
        match &*last {
            Some(secret) if secret.reading > refused.reading => Ok(secret.clone()),
            _ => self.read(&mut last).await,
        }
    }

    async fn read(&self, last: &mut Option<ReadSecret>) -> Result<ReadSecret, CloudError> {
        let secret = self.client.get_secret(&self.name, None).await?.into_model()?;
        let value = secret
            .value
            .ok_or_else(|| CloudError::other("the secret has no value"))?;
        let secret = ReadSecret {
            value: value.into(),
            reading: last.as_ref().map_or(0, |last| last.reading + 1),
        };
        *last = Some(secret.clone());
        Ok(secret)
    }
}

#[cfg(test)]
mod tests {
    use crate::local::vault::VaultDouble;
    use tokio::task::JoinSet;

    #[tokio::test]
    async fn all_who_were_refused_with_a_secret_share_the_next_reading() {
        let vault = VaultDouble::start("third-party-api-key", "d0c5atM1cr0s0ft").unwrap();
        let secret = vault.secret().unwrap();
        let refused = secret.get().await.unwrap();
        assert_eq!(refused.value.secret(), "d0c5atM1cr0s0ft");
        vault.keep("another");
        let mut asking = JoinSet::new();
        for _ in 0..20 {
            let (secret, refused) = (secret.clone(), refused.clone());
            asking.spawn(async move { secret.later_than(&refused).await.unwrap() });
        }
        for later in asking.join_all().await {
            assert_eq!(later.value.secret(), "another");
        }
        assert_eq!(vault.readings(), 2);
        assert_eq!(secret.get().await.unwrap().value.secret(), "another");
    }
}
