//! Encryption of stored tokens.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hmac,
};
use azure_core::credentials::Secret;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
};
use zeroize::Zeroizing;

/// The keys that encrypt stored tokens: AES-256-GCM, bound to the user, their identity and the scopes.
///
/// The first key seals, and every key opens. To rotate, put a new key before the old one. Remove the old one a day later,
/// when every token that it sealed has expired.
///
/// # Examples
///
/// ```
/// let keys = token_service::SealingKeys::new(["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="])?;
/// assert_eq!(format!("{keys:?}"), "SealingKeys");
/// # Ok::<(), token_service::InvalidSealingKey>(())
/// ```
#[derive(Clone)]
pub struct SealingKeys(Arc<[RandomizedNonceKey]>);

/// A fingerprint of the credential that tokens are issued with.
///
/// Azure Communication Services revokes every token of an access key when that key is regenerated. So a stored token opens
/// with the fingerprint under which it was sealed only, and no token of an old key is handed out. The fingerprint does not
/// reveal the key. `Debug` hides it.
#[derive(Clone, Eq, PartialEq)]
pub struct CredentialFingerprint(String);

impl CredentialFingerprint {
    /// Returns the fingerprint of the access key in a connection string.
    #[must_use]
    pub fn of_connection_string(text: &str) -> Self {
        let named = |part: &str| {
            let (name, value) = part.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("accesskey")
                .then(|| value.trim().to_owned())
        };
        let key = Zeroizing::new(text.split(';').find_map(named).unwrap_or_else(|| text.to_owned()));
        Self::of_access_key(&key)
    }

    /// Returns the fingerprint of an access key.
    #[must_use]
    pub fn of_access_key(key: &str) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.trim().as_bytes());
        Self(STANDARD.encode(hmac::sign(&key, b"tokens issued with this access key")))
    }

    /// Returns the fingerprint of Entra ID, whose tokens outlive each credential.
    #[must_use]
    pub fn of_entra() -> Self {
        Self("entra".to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Debug for CredentialFingerprint {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("CredentialFingerprint")
    }
}

/// A missing sealing key, or one that is not the base64 of 32 bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidSealingKey;

impl SealingKeys {
    /// Parses keys.
    ///
    /// # Arguments
    ///
    /// * `keys` - Each the base64 of 32 random bytes (`openssl rand -base64 32`). The first one seals.
    ///
    /// # Errors
    ///
    /// If there is no key, or one is not the base64 of 32 bytes.
    pub fn new<K: AsRef<str>>(keys: impl IntoIterator<Item = K>) -> Result<Self, InvalidSealingKey> {
        let keys: Vec<_> = keys
            .into_iter()
            .map(|key| parse(key.as_ref()))
            .collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(InvalidSealingKey);
        }
        Ok(Self(keys.into()))
    }

    /// Encrypts a token, which opens in the same context only. Returns `None` if the system provides no randomness.
    pub(crate) fn seal(&self, token: &Secret, context: &str) -> Option<Vec<u8>> {
        let key = self.0.first()?;
        let mut sealed = token.secret().as_bytes().to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(context), &mut sealed).ok()?;
        sealed.extend_from_slice(nonce.as_ref());
        Some(sealed)
    }

    /// Decrypts a token, unless it was sealed with another key or in another context.
    pub(crate) fn open(&self, sealed: &[u8], context: &str) -> Option<Secret> {
        let (ciphertext, nonce) = sealed.split_at_checked(sealed.len().checked_sub(NONCE_LEN)?)?;
        self.0.iter().find_map(|key| {
            let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
            let mut opened = Zeroizing::new(ciphertext.to_vec());
            let token = key.open_in_place(nonce, Aad::from(context), &mut opened).ok()?;
            Some(Secret::new(String::from_utf8(token.to_vec()).ok()?))
        })
    }
}

fn parse(key: &str) -> Result<RandomizedNonceKey, InvalidSealingKey> {
    let bytes = Zeroizing::new(STANDARD.decode(key.trim()).map_err(|_| InvalidSealingKey)?);
    RandomizedNonceKey::new(&AES_256_GCM, &bytes).map_err(|_| InvalidSealingKey)
}

impl Debug for SealingKeys {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKeys")
    }
}

impl fmt::Display for InvalidSealingKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a sealing key must be the base64 of 32 bytes, as of `openssl rand -base64 32`")
    }
}

impl std::error::Error for InvalidSealingKey {}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    const NEW: &str = "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=";

    fn opened(keys: &SealingKeys, sealed: &[u8], context: &str) -> Option<String> {
        keys.open(sealed, context).map(|token| token.secret().to_owned())
    }

    #[test]
    fn token_opens_in_its_context_with_any_key() {
        let old = SealingKeys::new([OLD]).unwrap();
        let sealed = old.seal(&Secret::new("token"), "alice").unwrap();
        assert_eq!(opened(&old, &sealed, "alice").as_deref(), Some("token"));
        assert_eq!(opened(&old, &sealed, "bob"), None);
        let rotated = SealingKeys::new([NEW, OLD]).unwrap();
        assert_eq!(opened(&rotated, &sealed, "alice").as_deref(), Some("token"));
        assert_eq!(opened(&SealingKeys::new([NEW]).unwrap(), &sealed, "alice"), None);
        let sealed = rotated.seal(&Secret::new("token"), "alice").unwrap();
        assert_eq!(opened(&old, &sealed, "alice"), None, "the first key seals");
    }

    #[test]
    fn fingerprint_is_that_of_the_key_alone() {
        let of = CredentialFingerprint::of_connection_string;
        let primary = of("endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0");
        assert_eq!(
            primary,
            of(" AccessKey = c2VjcmV0 ; endpoint=https://contoso.example/;")
        );
        assert_eq!(primary, CredentialFingerprint::of_access_key("c2VjcmV0\n"));
        assert_ne!(
            primary,
            of("endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV1")
        );
        assert_ne!(primary, CredentialFingerprint::of_entra());
        // printf 'tokens issued with this access key' | openssl dgst -sha256 -hmac c2VjcmV0 -binary | base64
        assert_eq!(primary.as_str(), "Cq3x0EmQgsdCrsPZFt6jRK8p+yilU4VpA6PrZm24G5c=");
        assert_eq!(format!("{primary:?}"), "CredentialFingerprint");
    }

    #[test]
    fn altered_token_does_not_open() {
        let keys = SealingKeys::new([OLD]).unwrap();
        let sealed = keys.seal(&Secret::new("token"), "alice").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(opened(&keys, &changed, "alice"), None, "{at}");
            assert_eq!(opened(&keys, &sealed[..at], "alice"), None, "{at}");
        }
        assert_ne!(
            keys.seal(&Secret::new("token"), "alice"),
            Some(sealed),
            "a nonce is used once"
        );
    }

    #[test]
    fn key_has_32_bytes() {
        for keys in [&[][..], &[""], &["AAEC"], &["not base64"], &[OLD, "AAEC"]] {
            assert_eq!(SealingKeys::new(keys).unwrap_err(), InvalidSealingKey);
        }
    }
}
