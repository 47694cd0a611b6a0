//! The token key in a data file, so that tokens stay valid when the emulator is started again.

use crate::{
    error::EmulatorError,
    store::{Opened, SETTINGS},
    tokens::{SigningKey, TokenAlgorithm, TokenKey},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::{Deserialize, Serialize};

/// The name under which the key is kept.
const SETTING: &str = "tokenKey";

#[derive(Serialize, Deserialize)]
struct Record {
    algorithm: TokenAlgorithm,
    /// In base64.
    pkcs8: String,
}

impl TokenKey {
    /// The key that a store has kept, unless that has another algorithm than the given one; otherwise a new one.
    ///
    /// If there is a file, a new key is waited for, as the tokens that it signs have to outlive the process.
    pub(crate) async fn open(algorithm: Option<TokenAlgorithm>, opened: &Opened) -> Result<Self, EmulatorError> {
        let kept = opened.contents.setting::<Record>(SETTING)?;
        if let Some(record) = kept.filter(|record| algorithm.is_none_or(|given| given == record.algorithm)) {
            let pkcs8 = BASE64_STANDARD.decode(&record.pkcs8).ok();
            let pair = pkcs8.and_then(|pkcs8| SigningKey::restore(record.algorithm, &pkcs8).ok());
            let pair = pair.ok_or_else(|| opened.contents.damaged(SETTING))?;
            return Ok(Self::of(record.algorithm, pair));
        }
        let key = Self::generate(algorithm.unwrap_or_default());
        if opened.store.keeps() {
            let record = Record {
                algorithm: key.algorithm(),
                pkcs8: BASE64_STANDARD.encode(key.wait().await?.pkcs8()?),
            };
            opened.store.write(|changes| changes.put(SETTINGS, SETTING, &record));
        }
        Ok(key)
    }
}
