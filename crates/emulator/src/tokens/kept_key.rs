//! The token key in a data file, so that tokens stay valid when the emulator is started again.

use crate::{
    storage::{DataFileError, NotKept, Opened, SETTINGS, Store},
    tokens::{SigningKey, TokenAlgorithm, TokenKey},
};
use aws_lc_rs::error::Unspecified;
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The name under which the key is kept.
const SETTING: &str = "tokenKey";

#[derive(Serialize, Deserialize)]
struct Record {
    algorithm: TokenAlgorithm,
    /// In base64.
    pkcs8: String,
}

impl TokenKey {
    /// The key that a store has kept, unless that has another algorithm than the given one; otherwise a new one, which
    /// still has to be kept if there is a file.
    pub(crate) fn open(
        algorithm: Option<TokenAlgorithm>,
        opened: &Opened,
    ) -> Result<(Self, Option<NewKey>), DataFileError> {
        let kept = opened.contents.setting::<Record>(SETTING)?;
        if let Some(record) = kept.filter(|record| algorithm.is_none_or(|given| given == record.algorithm)) {
            let pkcs8 = BASE64_STANDARD.decode(&record.pkcs8).ok();
            let pair = pkcs8.and_then(|pkcs8| SigningKey::restore(record.algorithm, &pkcs8).ok());
            let pair = pair.ok_or_else(|| opened.contents.damaged(SETTING))?;
            return Ok((Self::of(record.algorithm, pair), None));
        }
        let generated = Self::generate(algorithm.unwrap_or_default());
        if !opened.store.keeps() {
            return Ok((generated, None));
        }
        let kept = Self::after(&generated);
        Ok((kept.clone(), Some(NewKey { generated, kept })))
    }
}

/// A new key. As the tokens that it signs have to outlive the process, nothing is signed before it is in the file.
pub(crate) struct NewKey {
    generated: TokenKey,
    /// Pending until the other one is kept.
    kept: TokenKey,
}

impl NewKey {
    /// Waits for the key to be generated, and has it written. Whatever signs a token waits for both.
    pub(crate) async fn keep(self, store: Store) {
        let outcome = self.written(&store).await;
        self.kept.set(outcome);
    }

    async fn written(&self, store: &Store) -> Result<Arc<SigningKey>, Unspecified> {
        let pair = self.generated.shared().await?;
        let record = Record {
            algorithm: self.generated.algorithm(),
            pkcs8: BASE64_STANDARD.encode(pair.pkcs8()?),
        };
        let changed = store.write(|changes| changes.put(SETTINGS, SETTING, &record));
        // The log has the reason.
        store.wait(changed).await.map_err(|NotKept| Unspecified)?;
        Ok(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Ticket, fake};
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    #[test]
    fn a_new_key_is_not_used_before_it_is_kept() {
        let (opened, written) = fake();
        let (key, new) = TokenKey::open(Some(TokenAlgorithm::Es256), &opened).unwrap();
        let mut keep = pin!(new.unwrap().keep(opened.store));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(keep.as_mut().poll(&mut context), Poll::Pending);
        assert!(key.get().is_none());
        written.send_replace(Ticket(1));
        assert_eq!(keep.as_mut().poll(&mut context), Poll::Ready(()));
        assert!(key.get().is_some());
    }
}
