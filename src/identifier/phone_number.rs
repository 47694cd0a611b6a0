//! A phone number that takes part in a call or chat.

use super::by_raw_id::ByRawId;
use std::fmt;

/// A phone number; its raw id is `4:<number>`.
///
/// Two of them are the same if their raw ids are.
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

/// What the raw id of a phone number starts with.
pub(super) const PREFIX: &str = "4:";

#[derive(Clone, Debug)]
struct PhoneNumber {
    value: String,
    /// As a service said it; otherwise the raw id tells.
    is_anonymous: Option<bool>,
    /// As a service said it; otherwise the raw id tells.
    asserted_id: Option<String>,
}

impl PhoneNumberIdentifier {
    /// Names a phone number.
    ///
    /// # Arguments
    ///
    /// * `phone_number` - The number, usually in E.164 format: `+14255550121`. It is kept as it is.
    #[must_use]
    pub fn new(phone_number: impl Into<String>) -> Self {
        Self::from_parts(phone_number.into(), None, None)
    }

    /// Takes the raw id that a service gave, in place of the one that follows from the number. An empty one is none.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw id. It then tells [`is_anonymous`](Self::is_anonymous) and
    ///   [`asserted_id`](Self::asserted_id), too.
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

    /// The raw id without its prefix.
    fn rest(&self) -> &str {
        self.0.raw_id.strip_prefix(PREFIX).unwrap_or_default()
    }

    /// The number, as it was given; `anonymous` if it is withheld.
    #[must_use]
    pub fn phone_number(&self) -> &str {
        &self.0.parts.value
    }

    /// Whether the number is withheld.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.0.parts.is_anonymous.unwrap_or(self.rest() == "anonymous")
    }

    /// What tells apart the participants of one call that have the same number: the part after the last `_`.
    #[must_use]
    pub fn asserted_id(&self) -> Option<&str> {
        let told = || self.rest().rsplit_once('_').map(|(_, asserted_id)| asserted_id);
        let asserted_id = self.0.parts.asserted_id.as_deref().or_else(told);
        asserted_id.filter(|id| !id.is_empty())
    }

    /// The raw id.
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
    fn a_raw_id_follows_from_the_number_unless_it_is_given() {
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
    fn only_the_word_anonymous_withholds_a_number() {
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
    fn an_asserted_id_is_what_follows_the_last_underscore() {
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
