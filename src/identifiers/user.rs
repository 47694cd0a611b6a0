//! Users that a Communication Services resource created.

use crate::error::invalid_argument;
use azure_core::Error;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Visitor},
};
use std::{fmt, str::FromStr};

/// The ID of a user that a Communication Services resource created, such as `8:acs:<resource>_<user>`.
///
/// The ID is opaque: store it unchanged with your own user, and parse it when you need a token. It is never empty, `.` or
/// `..`, because such an ID would change the path of a request.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::CommunicationUserIdentifier;
///
/// let stored = "8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-0ffb879b1130";
/// let user: CommunicationUserIdentifier = stored.parse()?;
/// assert_eq!(user.as_str(), stored);
///
/// assert!("..".parse::<CommunicationUserIdentifier>().is_err());
/// # Ok::<(), azure_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct CommunicationUserIdentifier(String);

impl CommunicationUserIdentifier {
    /// Creates an identifier from the ID that the service returned.
    ///
    /// # Arguments
    ///
    /// * `id` - The ID.
    ///
    /// # Errors
    ///
    /// The ID is empty, `.` or `..`.
    pub fn new(id: impl Into<String>) -> azure_core::Result<Self> {
        let id = id.into();
        if matches!(id.as_str(), "" | "." | "..") {
            return Err(invalid_argument(
                "a user's id is empty, `.` or `..`; pass the id that create_user returned",
            ));
        }
        Ok(Self(id))
    }

    /// Returns the ID, as the service returned it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CommunicationUserIdentifier {
    type Err = Error;

    fn from_str(id: &str) -> azure_core::Result<Self> {
        Self::new(id)
    }
}

impl fmt::Display for CommunicationUserIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for CommunicationUserIdentifier {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl From<CommunicationUserIdentifier> for String {
    fn from(user: CommunicationUserIdentifier) -> Self {
        user.0
    }
}

impl<'de> Deserialize<'de> for CommunicationUserIdentifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IdVisitor;

        impl Visitor<'_> for IdVisitor {
            type Value = CommunicationUserIdentifier;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the id of a user")
            }

            fn visit_str<E: de::Error>(self, id: &str) -> Result<Self::Value, E> {
                Self::Value::new(id).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(IdVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_change_a_path_are_refused() {
        for id in ["", ".", ".."] {
            let error = id.parse::<CommunicationUserIdentifier>().unwrap_err();
            assert!(error.to_string().contains("create_user"), "{error}");
            assert!(serde_json::from_value::<CommunicationUserIdentifier>(id.into()).is_err());
        }
    }

    #[test]
    fn any_other_id_is_kept() {
        for id in ["8:acs:a_b", "...", "a/b", "%2e%2e", " ", "😀", "someFutureFormat"] {
            let user: CommunicationUserIdentifier = id.parse().unwrap();
            assert_eq!(user.to_string(), id);
            let json = serde_json::to_value(&user).unwrap();
            assert_eq!(json, id);
            assert_eq!(
                serde_json::from_value::<CommunicationUserIdentifier>(json).unwrap(),
                user
            );
        }
    }
}
