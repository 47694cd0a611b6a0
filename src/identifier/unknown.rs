//! Somebody of a kind that this crate does not know.

use std::fmt;

/// An identifier of a kind that this crate does not know: its raw id, and nothing else.
///
/// A raw id that [`CommunicationIdentifier::from_raw_id`](crate::CommunicationIdentifier::from_raw_id) has no rule for
/// becomes one, so that nothing is lost of it.
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
    /// Takes a raw id as it is.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw id.
    #[must_use]
    pub fn new(raw_id: impl Into<String>) -> Self {
        Self(raw_id.into())
    }

    /// The raw id.
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
