//! The access key of a Communication Services resource.

use super::signature::{Signature, SigningKey, Unsigned, sign};
use crate::error::invalid_argument;
use azure_core::Result;
use std::{
    fmt,
    sync::{Arc, PoisonError, RwLock},
};

/// An access key of a Communication Services resource, which signs requests.
///
/// The key is decoded once, held only as the keyed state of the signature, and overwritten in memory when the last
/// clone is dropped. `Debug` never shows it.
///
/// Clones share the key: after [`update`](Self::update), every clone, and every client created with one, signs its next
/// attempt with the new key. A resource has two keys, so that one can be regenerated while the other is in use; note that
/// [regenerating a key revokes all tokens issued with it][revoked].
///
/// [revoked]: https://learn.microsoft.com/azure/communication-services/concepts/credentials-best-practices
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{AzureKeyCredential, CommunicationIdentityClient};
///
/// # fn main() -> azure_core::Result<()> {
/// # let (first_key, second_key) = ("cHJpbWFyeSBrZXk=", "c2Vjb25kYXJ5IGtleQ==");
/// let credential = AzureKeyCredential::new(first_key)?;
/// let client = CommunicationIdentityClient::with_key_credential(
///     "https://contoso.communication.azure.com",
///     credential.clone(),
///     None,
/// )?;
///
/// // Before the first key is regenerated:
/// credential.update(second_key)?;
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct AzureKeyCredential(Arc<RwLock<SigningKey>>);

impl AzureKeyCredential {
    /// Creates a credential from an access key, as the Azure portal shows it under *Keys*.
    ///
    /// # Arguments
    ///
    /// * `key` - The key in base64. White space around it is ignored.
    ///
    /// # Errors
    ///
    /// The key is empty or not base64. The error does not show it.
    pub fn new(key: &str) -> Result<Self> {
        Ok(Self(Arc::new(RwLock::new(decode(key)?))))
    }

    /// Replaces the key for this credential and all its clones.
    ///
    /// Takes effect at the next attempt of every request, also of one that is being retried.
    ///
    /// # Arguments
    ///
    /// * `key` - The new key in base64. White space around it is ignored.
    ///
    /// # Errors
    ///
    /// The key is empty or not base64; the old one stays in use. The error does not show either.
    pub fn update(&self, key: &str) -> Result<()> {
        let key = decode(key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
        Ok(())
    }

    /// Signs a request with the current key.
    pub(crate) fn sign(&self, request: &Unsigned<'_>) -> Signature {
        sign(&self.0.read().unwrap_or_else(PoisonError::into_inner), request)
    }
}

fn decode(key: &str) -> Result<SigningKey> {
    SigningKey::from_base64(key.trim()).ok_or_else(|| {
        invalid_argument("the access key is empty or not base64; the resource's Keys page in the Azure portal shows it")
    })
}

impl fmt::Debug for AzureKeyCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AzureKeyCredential")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::http::Method;
    use std::{collections::HashSet, thread};

    const KEYS: [&str; 2] = ["cHJpbWFyeSBrZXk=", "c2Vjb25kYXJ5IGtleQ=="];

    fn authorization(credential: &AzureKeyCredential) -> String {
        let request = Unsigned {
            method: Method::Post,
            url: &"https://contoso.communication.azure.com/identities".parse().unwrap(),
            date: "Sat, 01 Aug 2026 00:00:00 GMT",
            body: b"",
        };
        credential.sign(&request).authorization
    }

    #[test]
    fn a_request_is_signed_with_one_whole_key() {
        let whole: HashSet<_> = KEYS
            .map(|key| authorization(&AzureKeyCredential::new(key).unwrap()))
            .into();
        assert_eq!(whole.len(), 2);

        let credential = AzureKeyCredential::new(KEYS[0]).unwrap();
        thread::scope(|scope| {
            for _ in 0..4 {
                let clone = credential.clone();
                let whole = &whole;
                scope.spawn(move || {
                    for _ in 0..1000 {
                        assert!(whole.contains(&authorization(&clone)));
                    }
                });
            }
            for key in KEYS.iter().cycle().take(1000) {
                credential.update(key).unwrap();
            }
        });
        // All clones have the key of the last update.
        assert_eq!(
            authorization(&credential.clone()),
            authorization(&AzureKeyCredential::new(KEYS[1]).unwrap())
        );
    }
}
