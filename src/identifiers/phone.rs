//! Phone numbers.

use super::raw_id::ByRawId;
use std::fmt;

/// A phone number. The raw ID is `4:<number>`.
///
/// Two of them are equal if their raw IDs are.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::PhoneNumberIdentifier;
///
/// let caller = PhoneNumberIdentifier::new("+14255550121");
/// assert_eq!(caller.raw_id(), "4:+14255550121");
/// assert!(!caller.is_anonymous());
///
/// // The same number, for the second time in one call.
/// let again = PhoneNumberIdentifier::new("+14255550121_2");
/// assert_eq!(again.asserted_id(), Some("2"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PhoneNumberIdentifier(ByRawId<PhoneNumber>);

/// The beginning of the raw ID of a phone number.
pub(super) const PREFIX: &str = "4:";

#[derive(Clone, Debug)]
struct PhoneNumber {
    value: String,
    /// As a service wrote it; otherwise the raw ID says it.
    is_anonymous: Option<bool>,
    /// As a service wrote it; otherwise the raw ID says it.
    asserted_id: Option<String>,
}

impl PhoneNumberIdentifier {
    /// Creates an identifier.
    ///
    /// # Arguments
    ///
    /// * `phone_number` - The number, usually in E.164 format: `+14255550121`. It is not checked.
    #[must_use]
    pub fn new(phone_number: impl Into<String>) -> Self {
        Self::from_parts(phone_number.into(), None, None)
    }

    /// Replaces the raw ID by the one that a service returned. An empty one is treated as absent.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw ID. [`is_anonymous`](Self::is_anonymous) and [`asserted_id`](Self::asserted_id) follow from it.
    #[must_use]
    pub fn with_raw_id(self, raw_id: impl Into<String>) -> Self {
        Self(self.0.with_raw_id(raw_id.into()))
    }

    pub(super) fn from_parts(value: String, is_anonymous: Option<bool>, asserted_id: Option<String>) -> Self {
        Self(ByRawId {
            raw_id: format!("{PREFIX}{value}"),
            parts: PhoneNumber {
                value,
                is_anonymous,
                asserted_id,
            },
        })
    }

    /// Returns the raw ID without its prefix.
    fn rest(&self) -> &str {
        self.0.raw_id.strip_prefix(PREFIX).unwrap_or_default()
    }

    /// Returns the number, as it was passed; `anonymous` if it is withheld.
    #[must_use]
    pub fn phone_number(&self) -> &str {
        &self.0.parts.value
    }

    /// Returns whether the number is withheld.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.0.parts.is_anonymous.unwrap_or(self.rest() == "anonymous")
    }

    /// Returns the part after the last `_`, which distinguishes the participants of one call that have the same number.
    #[must_use]
    pub fn asserted_id(&self) -> Option<&str> {
        let from_raw_id = || self.rest().rsplit_once('_').map(|(_, asserted_id)| asserted_id);
        let asserted_id = self.0.parts.asserted_id.as_deref().or_else(from_raw_id);
        asserted_id.filter(|id| !id.is_empty())
    }

    /// Returns the raw ID.
    #[must_use]
    pub fn raw_id(&self) -> &str {
        &self.0.raw_id
    }
}

impl fmt::Display for PhoneNumberIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // The expected values are those of the other languages' test suites.

    #[test]
    fn a_raw_id_follows_from_the_number() {
        const OTHER: &str = "207ffef6-9444-41fb-92ab-20eacaae2768";
        for (number, given, raw_id) in [
            ("+112345556789", "", "4:+112345556789"),
            ("112345556789", "", "4:112345556789"),
            ("+112345556789", "4:112345556789", "4:112345556789"),
            ("+112345556789", "4:otherFormat", "4:otherFormat"),
            ("otherFormat", &format!("4:{OTHER}"), &format!("4:{OTHER}")),
            (
                "otherFormat",
                &format!("4:{OTHER}_{OTHER}"),
                &format!("4:{OTHER}_{OTHER}"),
            ),
            (
                "otherFormat",
                &format!("4:+112345556789_{OTHER}"),
                &format!("4:+112345556789_{OTHER}"),
            ),
        ] {
            let phone = PhoneNumberIdentifier::new(number).with_raw_id(given);
            assert_eq!(phone.raw_id(), raw_id);
            assert_eq!(phone.to_string(), raw_id);
            assert_eq!(phone.phone_number(), number);
        }
    }

    #[test]
    fn only_anonymous_withholds_a_number() {
        for (number, raw_id, expected) in [
            ("14255550123", "", false),
            ("anonymous", "", true),
            ("override", "4:anonymous", true),
            ("override", "4:anonymous123", false),
            ("override", "4:_anonymous", false),
        ] {
            let phone = PhoneNumberIdentifier::new(number).with_raw_id(raw_id);
            assert_eq!(phone.is_anonymous(), expected, "{phone:?}");
        }
    }

    #[test]
    fn an_asserted_id_follows_the_last_underscore() {
        for (number, raw_id, expected) in [
            ("14255550121", "", None),
            ("14255550121.123", "", None),
            ("14255550121-123", "", None),
            ("14255550121_123", "", Some("123")),
            ("14255550121", "4:14255550121_123", Some("123")),
            ("14255550121_123_456", "", Some("456")),
        ] {
            let phone = PhoneNumberIdentifier::new(number).with_raw_id(raw_id);
            assert_eq!(phone.asserted_id(), expected, "{phone:?}");
        }
    }
}
