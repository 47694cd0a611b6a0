//! Raw IDs, by which identifiers are the same or not.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
};

/// A raw ID and the parts that are known of it. It compares, hashes and prints as the raw ID alone, by which the services
/// tell participants apart.
#[derive(Clone, Debug)]
pub(super) struct ByRawId<T> {
    pub(super) raw_id: String,
    pub(super) parts: T,
}

impl<T> ByRawId<T> {
    /// Replaces the raw ID. An empty one is treated as absent.
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

/// An identifier of a kind that this crate does not know. It has nothing but a raw ID.
///
/// [`CommunicationIdentifier::from_raw_id`](crate::CommunicationIdentifier::from_raw_id) returns it for a raw ID that no rule
/// fits.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{CommunicationIdentifier, UnknownIdentifier};
///
/// let bot = CommunicationIdentifier::from_raw_id("28:45ab2481-1c1c-4005-be24-0ffb879b1130");
/// assert_eq!(bot, UnknownIdentifier::new("28:45ab2481-1c1c-4005-be24-0ffb879b1130").into());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnknownIdentifier(String);

impl UnknownIdentifier {
    /// Creates an identifier from a raw ID of any form.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw ID.
    #[must_use]
    pub fn new(raw_id: impl Into<String>) -> Self {
        Self(raw_id.into())
    }

    /// Returns the raw ID.
    #[must_use]
    pub fn raw_id(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UnknownIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
