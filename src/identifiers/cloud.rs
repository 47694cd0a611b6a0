//! Clouds of Azure.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{convert::Infallible, fmt, str::FromStr};

/// The cloud that a Microsoft Teams user or application belongs to.
///
/// The names are those of the services' [specification][spec]. A cloud that this crate does not know is read and written
/// as [`UnknownValue`](Self::UnknownValue); in a raw ID it is the public cloud, as in the other languages' libraries.
///
/// [spec]: https://github.com/Azure/azure-rest-api-specs/blob/main/specification/communication/data-plane/Common/stable/2025-06-30/common.json
///
/// # Examples
///
/// ```
/// use azure_communication_identity::CommunicationCloudEnvironment;
///
/// assert_eq!(CommunicationCloudEnvironment::Gcch.as_str(), "gcch");
/// assert_eq!(CommunicationCloudEnvironment::from("dod"), CommunicationCloudEnvironment::Dod);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CommunicationCloudEnvironment {
    /// `public`: Azure's public cloud.
    #[default]
    Public,
    /// `dod`: the cloud of the United States Department of Defense.
    Dod,
    /// `gcch`: Government Community Cloud High.
    Gcch,
    /// A cloud that this crate does not know.
    UnknownValue(String),
}

impl CommunicationCloudEnvironment {
    /// Returns the cloud as the services write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Public => "public",
            Self::Dod => "dod",
            Self::Gcch => "gcch",
            Self::UnknownValue(cloud) => cloud,
        }
    }

    /// Returns the cloud as the raw ID of a Teams user or application has it.
    pub(super) fn teams_prefix(&self) -> &'static str {
        match self {
            Self::Public | Self::UnknownValue(_) => "orgid",
            Self::Dod => "dod",
            Self::Gcch => "gcch",
        }
    }

    /// Returns the cloud as the raw ID of a user of a Communication Services resource has it.
    pub(super) fn resource_prefix(&self) -> &'static str {
        match self {
            Self::Public | Self::UnknownValue(_) => "acs",
            Self::Dod => "dod-acs",
            Self::Gcch => "gcch-acs",
        }
    }
}

impl From<&str> for CommunicationCloudEnvironment {
    fn from(cloud: &str) -> Self {
        match cloud {
            "public" => Self::Public,
            "dod" => Self::Dod,
            "gcch" => Self::Gcch,
            unknown => Self::UnknownValue(unknown.to_owned()),
        }
    }
}

impl FromStr for CommunicationCloudEnvironment {
    type Err = Infallible;

    fn from_str(cloud: &str) -> Result<Self, Self::Err> {
        Ok(cloud.into())
    }
}

impl AsRef<str> for CommunicationCloudEnvironment {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for CommunicationCloudEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for CommunicationCloudEnvironment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for CommunicationCloudEnvironment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|cloud| cloud.as_str().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_are_those_of_the_specification() {
        for (cloud, text) in [
            (CommunicationCloudEnvironment::Public, "public"),
            (CommunicationCloudEnvironment::Dod, "dod"),
            (CommunicationCloudEnvironment::Gcch, "gcch"),
            (CommunicationCloudEnvironment::UnknownValue("moon".to_owned()), "moon"),
        ] {
            assert_eq!(serde_json::to_value(&cloud).unwrap(), text);
            assert_eq!(
                serde_json::from_value::<CommunicationCloudEnvironment>(text.into()).unwrap(),
                cloud
            );
            assert_eq!(cloud.to_string(), text);
            assert_eq!(text.parse(), Ok(cloud));
        }
    }
}
