//! The key that signs tokens, shared and possibly still being generated.

use crate::{
    storage::{DataFileError, Loaded, NotPersisted, SETTINGS, Store},
    tokens::{SigningKey, TokenAlgorithm},
};
use aws_lc_rs::error::Unspecified;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use std::{
    fmt::{self, Debug, Formatter},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::sync::SetOnce;

/// The name of the record.
const SETTING: &str = "tokenKey";

/// The name of the thread that generates an RSA pair.
const THREAD_NAME: &str = "token-key";

/// The function that generates a pair.
type Generate = fn(TokenAlgorithm) -> Result<SigningKey, Unspecified>;

/// The key pair that signs the emulator's tokens.
///
/// Every emulator generates its own unless it is given one. Clones share the pair, so that a test binary that starts an
/// emulator for each test has to generate only one:
///
/// ```
/// use std::sync::LazyLock;
///
/// use acs_identity_emulator::{Emulator, TokenAlgorithm, TokenKey};
///
/// static TOKEN_KEY: LazyLock<TokenKey> = LazyLock::new(|| TokenKey::generate(TokenAlgorithm::Rs256));
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), acs_identity_emulator::EmulatorError> {
/// let emulator = Emulator::builder().token_key(TOKEN_KEY.clone()).start().await?;
/// # emulator.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TokenKey {
    algorithm: TokenAlgorithm,
    pair: Arc<SetOnce<Result<Arc<SigningKey>, Unspecified>>>,
    generation: Generation,
}

/// The thread that generates a pair, until it has ended.
#[derive(Clone, Default)]
struct Generation(Arc<Mutex<Option<JoinHandle<()>>>>);

/// Waits, when it is dropped, until a key has been generated.
///
/// AWS-LC aborts a process that ends while one of its threads still generates a key.
pub(crate) struct KeyGenerationGuard(Generation);

impl Drop for KeyGenerationGuard {
    fn drop(&mut self) {
        let KeyGenerationGuard(Generation(thread)) = self;
        let thread = thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // A panic of the thread has been reported, and leaves the key pending.
        thread.map(JoinHandle::join);
    }
}

impl TokenKey {
    /// Starts to generate a key pair, and returns without waiting for it.
    ///
    /// An RSA pair takes a while, and is generated on a separate thread. Tokens wait for it.
    #[must_use]
    pub fn generate(algorithm: TokenAlgorithm) -> Self {
        Self::generate_with(algorithm, SigningKey::generate)
    }

    /// Loads the key from the data file, or generates one if the file has none of the given algorithm. A generated key
    /// must still be [persisted](NewKey::persist) if there is a file.
    pub(crate) fn load(
        algorithm: Option<TokenAlgorithm>,
        loaded: &Loaded,
    ) -> Result<(Self, Option<NewKey>), DataFileError> {
        let stored = loaded.contents.setting::<Record>(SETTING)?;
        if let Some(record) = stored.filter(|record| algorithm.is_none_or(|given| given == record.algorithm)) {
            let pkcs8 = BASE64_STANDARD.decode(&record.pkcs8).ok();
            let pair = pkcs8.and_then(|pkcs8| SigningKey::restore(record.algorithm, &pkcs8).ok());
            let pair = pair.ok_or_else(|| loaded.contents.damaged(SETTING))?;
            return Ok((Self::of(record.algorithm, pair), None));
        }
        let generated = Self::generate(algorithm.unwrap_or_default());
        if !loaded.store.is_persistent() {
            return Ok((generated, None));
        }
        let persisted = Self::following(&generated);
        Ok((persisted.clone(), Some(NewKey { generated, persisted })))
    }

    fn generate_with(algorithm: TokenAlgorithm, generate: Generate) -> Self {
        let key = Self::pending(algorithm);
        match algorithm {
            TokenAlgorithm::Es256 => key.set_generated(generate),
            TokenAlgorithm::Rs256 => {
                let background = key.clone();
                let thread = thread::Builder::new().name(THREAD_NAME.to_owned());
                match thread.spawn(move || background.set_generated(generate)) {
                    Ok(thread) => key.generation.begin(thread),
                    Err(_) => key.set_generated(generate),
                }
            }
        }
        key
    }

    /// A key whose pair exists.
    fn of(algorithm: TokenAlgorithm, pair: SigningKey) -> Self {
        Self {
            algorithm,
            pair: Arc::new(SetOnce::new_with(Some(Ok(Arc::new(pair))))),
            generation: Generation::default(),
        }
    }

    /// A key whose pair is not generated yet.
    pub(crate) fn pending(algorithm: TokenAlgorithm) -> Self {
        Self {
            algorithm,
            pair: Arc::default(),
            generation: Generation::default(),
        }
    }

    /// A key whose pair will be that of another one, which may still be generated.
    fn following(other: &Self) -> Self {
        Self {
            generation: other.generation.clone(),
            ..Self::pending(other.algorithm)
        }
    }

    /// Returns the guard to be dropped before the process ends.
    pub(crate) fn generation_guard(&self) -> KeyGenerationGuard {
        KeyGenerationGuard(self.generation.clone())
    }

    /// The algorithm of the signatures.
    #[must_use]
    pub fn algorithm(&self) -> TokenAlgorithm {
        self.algorithm
    }

    /// Waits for the pair to be generated.
    pub(crate) async fn wait(&self) -> Result<&SigningKey, Unspecified> {
        match self.pair.wait().await {
            Ok(pair) => Ok(pair),
            Err(error) => Err(*error),
        }
    }

    /// Waits for the pair, and shares it.
    pub(super) async fn shared(&self) -> Result<Arc<SigningKey>, Unspecified> {
        self.pair.wait().await.clone()
    }

    /// The pair, if it is generated yet.
    pub(crate) fn get(&self) -> Option<&SigningKey> {
        Some(self.pair.get()?.as_ref().ok()?)
    }

    fn set_generated(&self, generate: Generate) {
        self.set(generate(self.algorithm).map(Arc::new));
    }

    /// Sets the pair, which ends every wait for it.
    fn set(&self, pair: Result<Arc<SigningKey>, Unspecified>) {
        self.pair.set(pair).ok();
    }
}

impl Generation {
    fn begin(&self, thread: JoinHandle<()>) {
        let Self(begun) = self;
        *begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }
}

impl Debug for TokenKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Record {
    algorithm: TokenAlgorithm,
    /// In base64.
    pkcs8: String,
}

/// A generated key that is not in the data file yet. As its tokens outlive the process, it signs none before.
pub(crate) struct NewKey {
    generated: TokenKey,
    /// Pending until the other one is persisted.
    persisted: TokenKey,
}

impl NewKey {
    /// Waits for the key to be generated, and writes it. Tokens wait for both.
    pub(crate) async fn persist(self, store: Store) {
        let outcome = self.write(&store).await;
        self.persisted.set(outcome);
    }

    async fn write(&self, store: &Store) -> Result<Arc<SigningKey>, Unspecified> {
        let pair = self.generated.shared().await?;
        let record = Record {
            algorithm: self.generated.algorithm(),
            pkcs8: BASE64_STANDARD.encode(pair.pkcs8()?),
        };
        let receipt = store.write(|changes| changes.put(SETTINGS, SETTING, &record));
        // The log has the reason.
        store.wait(receipt).await.map_err(|NotPersisted| Unspecified)?;
        Ok(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Receipt, fake};
    use std::{
        pin::pin,
        sync::atomic::{AtomicBool, Ordering},
        task::{Context, Poll, Waker},
    };

    #[tokio::test]
    async fn rsa_pair_is_generated_in_the_background() {
        let key = TokenKey::generate_with(TokenAlgorithm::Rs256, |_| match thread::current().name() {
            Some(THREAD_NAME) => SigningKey::generate(TokenAlgorithm::Es256),
            _ => Err(Unspecified),
        });
        assert!(key.wait().await.is_ok());
    }

    #[test]
    fn guard_waits_for_the_generation() {
        static ENDED: AtomicBool = AtomicBool::new(false);
        let key = TokenKey::generate_with(TokenAlgorithm::Rs256, |_| {
            (0..1000).for_each(|_| thread::yield_now());
            ENDED.store(true, Ordering::SeqCst);
            Err(Unspecified)
        });
        for key in [TokenKey::following(&key), key] {
            drop(key.generation_guard());
            assert!(ENDED.load(Ordering::SeqCst));
        }
    }

    #[test]
    fn new_key_is_unused_until_persisted() {
        let (loaded, written) = fake();
        let (key, new) = TokenKey::load(Some(TokenAlgorithm::Es256), &loaded).unwrap();
        let mut persisted = pin!(new.unwrap().persist(loaded.store));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(persisted.as_mut().poll(&mut context), Poll::Pending);
        assert!(key.get().is_none());
        written.send_replace(Receipt(1));
        assert_eq!(persisted.as_mut().poll(&mut context), Poll::Ready(()));
        assert!(key.get().is_some());
    }
}
