//! The resource's two access keys.

use crate::{
    auth::{redaction::redact, signature::AccessKey},
    storage::{Changes, Contents, DataFileError, Loaded, Receipt, SETTINGS, Store},
};
use aws_lc_rs::error::Unspecified;
use serde::{Deserialize, Serialize};
use std::{
    borrow::Cow,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

/// One of a resource's two access keys. Both are valid, so that one can be regenerated while the other is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessKeyKind {
    /// The one in [`Emulator::connection_string`](crate::Emulator::connection_string).
    Primary,
    /// The other one.
    Secondary,
}

/// The number of an access key. No two keys of a resource ever have the same.
///
/// A token carries the number of the key that it was made with, and is revoked when neither key has that number any
/// more, so no token is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyNumber(pub(crate) u64);

impl KeyNumber {
    /// The number for a request that is authenticated by Entra ID.
    pub(crate) const NONE: Self = Self(0);
}

/// An access key and its number.
pub(crate) struct NumberedKey {
    pub(crate) number: KeyNumber,
    pub(crate) key: AccessKey,
}

/// The two access keys.
pub(crate) struct AccessKeys {
    pair: RwLock<Pair>,
    store: Store,
}

struct Pair {
    primary: Arc<NumberedKey>,
    secondary: Arc<NumberedKey>,
    /// The receipt of the last regeneration.
    receipt: Receipt,
}

/// The name of the record.
const SETTING: &str = "accessKeys";

#[derive(Serialize, Deserialize)]
struct PairRecord {
    primary: KeyRecord,
    secondary: KeyRecord,
}

#[derive(Serialize, Deserialize)]
struct KeyRecord {
    number: u64,
    key: String,
}

impl AccessKeys {
    /// Loads the keys; `None` if the data file has none. A given key takes the place of the primary one, as if that was
    /// regenerated, and is not [put](Self::put) into the store yet.
    pub(crate) fn load(given: Option<&AccessKey>, loaded: &Loaded) -> Result<Option<Self>, DataFileError> {
        let Some(record) = loaded.contents.setting::<PairRecord>(SETTING)? else {
            return Ok(None);
        };
        let mut pair = Pair::restore(record, &loaded.contents)?;
        if let Some(key) = given.filter(|key| key.as_base64() != pair.primary.key.as_base64()) {
            pair.replace(AccessKeyKind::Primary, key.clone());
        }
        Ok(Some(Self::new(pair, loaded)))
    }

    /// Generates random keys, the primary one unless it is given. They are not [put](Self::put) into the store yet.
    pub(crate) fn generate(given: Option<AccessKey>, loaded: &Loaded) -> Result<Self, Unspecified> {
        let pair = Pair {
            primary: numbered(1, given.map_or_else(AccessKey::generate, Ok)?),
            secondary: numbered(2, AccessKey::generate()?),
            receipt: Receipt::default(),
        };
        Ok(Self::new(pair, loaded))
    }

    fn new(pair: Pair, loaded: &Loaded) -> Self {
        Self {
            pair: RwLock::new(pair),
            store: loaded.store.clone(),
        }
    }

    /// Adds both keys to changes.
    pub(crate) fn put(&self, changes: &mut Changes) {
        self.read().put(changes);
    }

    pub(crate) fn get(&self, kind: AccessKeyKind) -> Arc<NumberedKey> {
        let pair = self.read();
        match kind {
            AccessKeyKind::Primary => pair.primary.clone(),
            AccessKeyKind::Secondary => pair.secondary.clone(),
        }
    }

    /// The primary key, then the secondary one.
    pub(crate) fn both(&self) -> [Arc<NumberedKey>; 2] {
        let pair = self.read();
        [pair.primary.clone(), pair.secondary.clone()]
    }

    /// Redacts both keys in a text of a request.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let pair = self.read();
        let text = redact(text.into(), pair.primary.key.as_base64());
        redact(text, pair.secondary.key.as_base64())
    }

    /// Returns whether a token that was made with this key is still valid.
    pub(crate) fn are_valid(&self, number: KeyNumber) -> bool {
        number == KeyNumber::NONE || self.both().iter().any(|key| key.number == number)
    }

    /// Replaces one of the two keys by a random one.
    pub(crate) fn regenerate(&self, kind: AccessKeyKind) -> Result<Receipt, Unspecified> {
        let key = AccessKey::generate()?;
        let mut pair = self.pair.write().unwrap_or_else(PoisonError::into_inner);
        pair.replace(kind, key);
        pair.receipt = self.store.write(|changes| pair.put(changes));
        Ok(pair.receipt)
    }

    /// The receipt to wait for before a token is handed out.
    pub(crate) fn receipt(&self) -> Receipt {
        self.read().receipt
    }

    fn read(&self) -> RwLockReadGuard<'_, Pair> {
        self.pair.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pair {
    fn replace(&mut self, kind: AccessKeyKind, key: AccessKey) {
        let KeyNumber(last) = self.primary.number.max(self.secondary.number);
        let new = numbered(last + 1, key);
        match kind {
            AccessKeyKind::Primary => self.primary = new,
            AccessKeyKind::Secondary => self.secondary = new,
        }
    }

    fn restore(record: PairRecord, contents: &Contents) -> Result<Self, DataFileError> {
        let restore = |record: KeyRecord| {
            let key = record.key.parse().map_err(|_| contents.damaged(SETTING))?;
            Ok::<_, DataFileError>(numbered(record.number, key))
        };
        Ok(Self {
            primary: restore(record.primary)?,
            secondary: restore(record.secondary)?,
            receipt: Receipt::default(),
        })
    }

    fn put(&self, changes: &mut Changes) {
        let record = |key: &NumberedKey| KeyRecord {
            number: key.number.0,
            key: key.key.as_base64().to_owned(),
        };
        let pair = PairRecord {
            primary: record(&self.primary),
            secondary: record(&self.secondary),
        };
        changes.put(SETTINGS, SETTING, &pair);
    }
}

fn numbered(number: u64, key: AccessKey) -> Arc<NumberedKey> {
    let number = KeyNumber(number);
    Arc::new(NumberedKey { number, key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use AccessKeyKind::{Primary, Secondary};

    fn keys() -> AccessKeys {
        AccessKeys::generate(None, &Loaded::default()).unwrap()
    }

    #[test]
    fn regeneration_keeps_the_other_key() {
        for (one, other) in [(Primary, Secondary), (Secondary, Primary)] {
            let keys = keys();
            let text = |kind| keys.get(kind).key.as_base64().to_owned();
            let before = (text(one), text(other));
            assert_ne!(before.0, before.1);
            keys.regenerate(one).unwrap();
            assert_ne!(text(one), before.0);
            assert_eq!(text(other), before.1);
        }
    }

    #[test]
    fn key_numbers_are_never_reused() {
        let keys = keys();
        let mut seen = keys.both().map(|key| key.number).to_vec();
        for kind in [Primary, Primary, Secondary, Primary, Secondary, Secondary] {
            keys.regenerate(kind).unwrap();
            let number = keys.get(kind).number;
            assert!(!seen.contains(&number), "{number:?}");
            seen.push(number);
        }
        let valid: Vec<_> = seen.iter().filter(|number| keys.are_valid(**number)).collect();
        assert_eq!(valid.len(), 2);
        assert!(keys.are_valid(KeyNumber::NONE));
    }
}
