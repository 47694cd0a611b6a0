//! The resource's two access keys.

use crate::signature::AccessKey;
use aws_lc_rs::error::Unspecified;
use serde::{Deserialize, Serialize};
use std::sync::{Arc, PoisonError, RwLock};

/// One of a resource's two access keys. Both are valid, so that one can be regenerated while the other is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AccessKeyKind {
    /// The one in [`Emulator::connection_string`](crate::Emulator::connection_string).
    Primary,
    /// The other one.
    Secondary,
}

/// The number of the key that a request is signed with. No two keys of a resource ever have the same.
///
/// A token carries the number of the key that it was made with, and is revoked when neither key has that number any
/// more, so no token has to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct KeyNumber(pub(crate) u64);

impl KeyNumber {
    /// The number of no key, for a request that is authenticated by Entra ID.
    pub(crate) const NONE: Self = Self(0);
}

/// An access key and its number.
pub(crate) struct NumberedKey {
    pub(crate) number: KeyNumber,
    pub(crate) key: AccessKey,
}

/// The two access keys.
pub(crate) struct AccessKeys(RwLock<Pair>);

struct Pair {
    primary: Arc<NumberedKey>,
    secondary: Arc<NumberedKey>,
}

impl AccessKeys {
    pub(crate) fn new(primary: AccessKey, secondary: AccessKey) -> Self {
        let numbered = |number, key| {
            let number = KeyNumber(number);
            Arc::new(NumberedKey { number, key })
        };
        Self(RwLock::new(Pair {
            primary: numbered(1, primary),
            secondary: numbered(2, secondary),
        }))
    }

    pub(crate) fn get(&self, kind: AccessKeyKind) -> Arc<NumberedKey> {
        let pair = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match kind {
            AccessKeyKind::Primary => pair.primary.clone(),
            AccessKeyKind::Secondary => pair.secondary.clone(),
        }
    }

    /// The primary key, then the secondary one.
    pub(crate) fn both(&self) -> [Arc<NumberedKey>; 2] {
        let pair = self.0.read().unwrap_or_else(PoisonError::into_inner);
        [pair.primary.clone(), pair.secondary.clone()]
    }

    /// Whether a token that was made with this key is still valid.
    pub(crate) fn are_valid(&self, number: KeyNumber) -> bool {
        number == KeyNumber::NONE || self.both().iter().any(|key| key.number == number)
    }

    /// Puts a random key in place of one of the two.
    pub(crate) fn regenerate(&self, kind: AccessKeyKind) -> Result<(), Unspecified> {
        let key = AccessKey::generate()?;
        let mut pair = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let KeyNumber(last) = pair.primary.number.max(pair.secondary.number);
        let new = Arc::new(NumberedKey {
            number: KeyNumber(last + 1),
            key,
        });
        match kind {
            AccessKeyKind::Primary => pair.primary = new,
            AccessKeyKind::Secondary => pair.secondary = new,
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AccessKeyKind::{Primary, Secondary};

    fn keys() -> AccessKeys {
        let key = || AccessKey::generate().unwrap();
        AccessKeys::new(key(), key())
    }

    #[test]
    fn one_key_is_regenerated_and_the_other_stays() {
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
    fn the_number_of_a_key_never_comes_back() {
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
