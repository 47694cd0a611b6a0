//! The key that signs tokens, as a user of the library handles it.

use super::SigningKey;
use aws_lc_rs::error::Unspecified;
use std::{
    fmt::{self, Debug, Formatter},
    sync::Arc,
    thread,
};
use tokio::sync::SetOnce;

/// The algorithm of token signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256 and a key of 2048 bits: what the service uses.
    #[default]
    Rs256,
    /// ECDSA with P-256 and SHA-256: the emulator's own offer. The key is there at once and signing takes a fraction of
    /// the time, for tests that ask for thousands of tokens.
    Es256,
}

/// The key pair that signs the emulator's tokens.
///
/// Every emulator makes its own unless it is given one. Clones share the pair, so that a test binary with an emulator
/// for each of its tests has to make only one:
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
    pair: Arc<SetOnce<Result<SigningKey, Unspecified>>>,
}

impl TokenKey {
    /// Begins to make a key pair and returns at once.
    ///
    /// An RSA pair takes its time and is made on a thread of its own; whoever has a token signed before it is there
    /// waits for it.
    #[must_use]
    pub fn generate(algorithm: TokenAlgorithm) -> Self {
        let key = Self {
            algorithm,
            pair: Arc::default(),
        };
        match algorithm {
            TokenAlgorithm::Es256 => key.make(),
            TokenAlgorithm::Rs256 => {
                let background = key.clone();
                let thread = thread::Builder::new().name("token-key".to_owned());
                if thread.spawn(move || background.make()).is_err() {
                    key.make();
                }
            }
        }
        key
    }

    /// The algorithm of the signatures.
    #[must_use]
    pub fn algorithm(&self) -> TokenAlgorithm {
        self.algorithm
    }

    /// Waits until the pair is made.
    pub(crate) async fn wait(&self) -> Result<&SigningKey, Unspecified> {
        self.pair.wait().await.as_ref().map_err(|error| *error)
    }

    /// The pair, if it is made by now.
    pub(crate) fn get(&self) -> Option<&SigningKey> {
        self.pair.get()?.as_ref().ok()
    }

    fn make(&self) {
        if !self.pair.initialized() {
            self.pair.set(SigningKey::generate(self.algorithm)).ok();
        }
    }
}

impl Debug for TokenKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
