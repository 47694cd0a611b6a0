//! What makes two identifiers the same.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// A raw id and what is known of whom it names. It compares, hashes and prints as the raw id alone: that is what the
/// services tell participants apart by, and what they read and write may differ in the rest.
#[derive(Clone, Debug)]
pub(super) struct ByRawId<T> {
    pub(super) raw_id: String,
    pub(super) parts: T,
}

impl<T> ByRawId<T> {
    /// Takes another raw id. An empty one names nobody, and is none.
    pub(super) fn with_raw_id(self, raw_id: String) -> Self {
        if raw_id.is_empty() {
            return self;
        }
        Self { raw_id, ..self }
    }
}

impl<T> PartialEq for ByRawId<T> {
    fn eq(&self, other: &Self) -> bool {
        self.raw_id == other.raw_id
    }
}

impl<T> Eq for ByRawId<T> {}

impl<T> Hash for ByRawId<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw_id.hash(state);
    }
}

impl<T> PartialOrd for ByRawId<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for ByRawId<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.raw_id.cmp(&other.raw_id)
    }
}

impl<T> fmt::Display for ByRawId<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw_id)
    }
}
