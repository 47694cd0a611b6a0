//! The cloud that somebody belongs to.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::{convert::Infallible, fmt, str::FromStr};

/// The cloud that a Microsoft Teams user or application belongs to.
///
/// The names are those of the services' [specification][spec]. A cloud that this crate does not know is read, and
/// written, as [`UnknownValue`](Self::UnknownValue); a raw id that is built for it is that of the public cloud, as in
/// the other languages' libraries.
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
    /// The cloud as the services write it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Public => "public",
            Self::Dod => "dod",
            Self::Gcch => "gcch",
            Self::UnknownValue(cloud) => cloud,
        }
    }

    /// What stands for the cloud in the raw id of a Teams user or application.
    pub(super) fn of_teams(&self) -> &'static str {
        match self {
            Self::Public | Self::UnknownValue(_) => "orgid",
            Self::Dod => "dod",
            Self::Gcch => "gcch",
        }
    }

    /// What stands for the cloud in the raw id of a user of a Communication Services resource.
    pub(super) fn of_resource(&self) -> &'static str {
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
    fn clouds_are_written_as_in_the_services_specification() {
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
