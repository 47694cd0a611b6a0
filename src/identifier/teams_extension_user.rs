//! A Teams Phone user who reaches Teams by way of a Communication Services resource.

use super::{by_raw_id::ByRawId, cloud::CommunicationCloudEnvironment};
use std::fmt;

/// A Microsoft Teams Phone user who uses a Communication Services resource to [extend Teams Phone][tpe]; the raw id is
/// `8:acs:<resource>_<tenant>_<user>`, in other clouds it begins with `8:dod-acs:` and `8:gcch-acs:`.
///
/// Two of them are the same if their raw ids are.
///
/// [tpe]: https://learn.microsoft.com/azure/communication-services/concepts/interop/tpe/teams-phone-extensibility-overview
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{
///     CommunicationCloudEnvironment, TeamsExtensionUserIdentifier, TeamsExtensionUserParts,
/// };
///
/// let agent = TeamsExtensionUserIdentifier::new(TeamsExtensionUserParts {
///     user_id: "207ffef6-9444-41fb-92ab-20eacaae2768".to_owned(),
///     tenant_id: "45ab2481-1c1c-4005-be24-0ffb879b1130".to_owned(),
///     resource_id: "bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd".to_owned(),
///     cloud: CommunicationCloudEnvironment::Public,
/// });
/// assert!(agent.raw_id().starts_with("8:acs:bbbcbc1e-"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TeamsExtensionUserIdentifier(ByRawId<TeamsExtensionUserParts>);

/// What a [`TeamsExtensionUserIdentifier`] consists of. The fields have names because the ids are easily swapped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TeamsExtensionUserParts {
    /// The object id of the Entra user.
    pub user_id: String,
    /// The id of the user's Entra tenant.
    pub tenant_id: String,
    /// The immutable id of the Communication Services resource.
    pub resource_id: String,
    /// The cloud that the user belongs to.
    pub cloud: CommunicationCloudEnvironment,
}

impl TeamsExtensionUserIdentifier {
    /// Names a user.
    ///
    /// # Arguments
    ///
    /// * `parts` - The ids of the user, the tenant and the resource, and the cloud.
    #[must_use]
    pub fn new(parts: TeamsExtensionUserParts) -> Self {
        let raw_id = format!(
            "8:{}:{}_{}_{}",
            parts.cloud.of_resource(),
            parts.resource_id,
            parts.tenant_id,
            parts.user_id
        );
        Self(ByRawId { raw_id, parts })
    }

    /// Takes the raw id that a service gave, in place of the one that follows from the parts. An empty one is none.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw id.
    #[must_use]
    pub fn with_raw_id(self, raw_id: impl Into<String>) -> Self {
        Self(self.0.with_raw_id(raw_id.into()))
    }

    /// The ids of the user, the tenant and the resource, and the cloud.
    #[must_use]
    pub fn parts(&self) -> &TeamsExtensionUserParts {
        &self.0.parts
    }

    /// The raw id.
    #[must_use]
    pub fn raw_id(&self) -> &str {
        &self.0.raw_id
    }
}

impl fmt::Display for TeamsExtensionUserIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CommunicationCloudEnvironment::{Dod, Gcch, Public, UnknownValue};

    #[test]
    fn a_raw_id_follows_from_the_parts_unless_it_is_given() {
        // The expected values are those of the other languages' test suites.
        const USER: &str = "207ffef6-9444-41fb-92ab-20eacaae2768";
        const TENANT: &str = "45ab2481-1c1c-4005-be24-0ffb879b1130";
        const RESOURCE: &str = "bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd";
        for (cloud, prefix) in [
            (Public, "8:acs:"),
            (Dod, "8:dod-acs:"),
            (Gcch, "8:gcch-acs:"),
            (UnknownValue("moon".to_owned()), "8:acs:"),
        ] {
            let parts = TeamsExtensionUserParts {
                user_id: USER.to_owned(),
                tenant_id: TENANT.to_owned(),
                resource_id: RESOURCE.to_owned(),
                cloud,
            };
            let user = TeamsExtensionUserIdentifier::new(parts.clone());
            assert_eq!(user.raw_id(), format!("{prefix}{RESOURCE}_{TENANT}_{USER}"));
            assert_eq!(user.to_string(), user.raw_id());
            assert_eq!(user.parts(), &parts);

            let user = user.with_raw_id("8:acs:resource_tenant_user");
            assert_eq!(user.raw_id(), "8:acs:resource_tenant_user");
            assert_eq!(user.parts(), &parts);
        }
    }
}
