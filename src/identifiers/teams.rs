//! Microsoft Teams: users, applications, and users of Teams Phone extensibility.

use super::{cloud::CommunicationCloudEnvironment, raw_id::ByRawId};
use std::fmt;

/// A Microsoft Teams user. The raw ID is `8:orgid:<id>`, in other clouds `8:dod:<id>` and `8:gcch:<id>`, and for an
/// anonymous user `8:teamsvisitor:<id>`.
///
/// Two of them are equal if their raw IDs are.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{CommunicationCloudEnvironment, MicrosoftTeamsUserIdentifier};
///
/// let object_id = "45ab2481-1c1c-4005-be24-0ffb879b1130";
/// let user = MicrosoftTeamsUserIdentifier::new(object_id, CommunicationCloudEnvironment::Public);
/// assert_eq!(user.raw_id(), "8:orgid:45ab2481-1c1c-4005-be24-0ffb879b1130");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MicrosoftTeamsUserIdentifier(ByRawId<TeamsUser>);

#[derive(Clone, Debug)]
struct TeamsUser {
    user_id: String,
    is_anonymous: bool,
    cloud: CommunicationCloudEnvironment,
}

impl MicrosoftTeamsUserIdentifier {
    /// Creates an identifier of a user who is signed in to Teams.
    ///
    /// # Arguments
    ///
    /// * `user_id` - The object ID of the Entra user.
    /// * `cloud` - The cloud that the user belongs to.
    #[must_use]
    pub fn new(user_id: impl Into<String>, cloud: CommunicationCloudEnvironment) -> Self {
        Self::from_parts(user_id.into(), false, cloud)
    }

    /// Creates an identifier of a user who is not signed in, such as one who joins a meeting by its link.
    ///
    /// # Arguments
    ///
    /// * `user_id` - The ID of the user in Teams.
    #[must_use]
    pub fn anonymous(user_id: impl Into<String>) -> Self {
        Self::from_parts(user_id.into(), true, CommunicationCloudEnvironment::Public)
    }

    /// Replaces the raw ID by the one that a service returned. An empty one is treated as absent.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw ID.
    #[must_use]
    pub fn with_raw_id(self, raw_id: impl Into<String>) -> Self {
        Self(self.0.with_raw_id(raw_id.into()))
    }

    pub(super) fn from_parts(user_id: String, is_anonymous: bool, cloud: CommunicationCloudEnvironment) -> Self {
        let prefix = if is_anonymous {
            "teamsvisitor"
        } else {
            cloud.teams_prefix()
        };
        Self(ByRawId {
            raw_id: format!("8:{prefix}:{user_id}"),
            parts: TeamsUser {
                user_id,
                is_anonymous,
                cloud,
            },
        })
    }

    /// Returns the user's ID: the object ID of the Entra user, unless the user is anonymous.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.0.parts.user_id
    }

    /// Returns whether the user is not signed in.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.0.parts.is_anonymous
    }

    /// Returns the cloud that the user belongs to: the public one for an anonymous user, whose raw ID does not name it.
    #[must_use]
    pub fn cloud(&self) -> &CommunicationCloudEnvironment {
        &self.0.parts.cloud
    }

    /// Returns the raw ID.
    #[must_use]
    pub fn raw_id(&self) -> &str {
        &self.0.raw_id
    }
}

impl fmt::Display for MicrosoftTeamsUserIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A Microsoft Teams application, such as a call queue. The raw ID is `28:orgid:<id>`, in other clouds `28:dod:<id>`
/// and `28:gcch:<id>`.
///
/// Two of them are equal if their raw IDs are.
///
/// # Examples
///
/// ```
/// use azure_communication_identity::{CommunicationCloudEnvironment, MicrosoftTeamsAppIdentifier};
///
/// let app_id = "01234567-89ab-cdef-0123-456789abcdef";
/// let app = MicrosoftTeamsAppIdentifier::new(app_id, CommunicationCloudEnvironment::Gcch);
/// assert_eq!(app.raw_id(), "28:gcch:01234567-89ab-cdef-0123-456789abcdef");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MicrosoftTeamsAppIdentifier(ByRawId<TeamsApp>);

#[derive(Clone, Debug)]
struct TeamsApp {
    app_id: String,
    cloud: CommunicationCloudEnvironment,
}

impl MicrosoftTeamsAppIdentifier {
    /// Creates an identifier.
    ///
    /// # Arguments
    ///
    /// * `app_id` - The ID of the application.
    /// * `cloud` - The cloud that the application belongs to.
    #[must_use]
    pub fn new(app_id: impl Into<String>, cloud: CommunicationCloudEnvironment) -> Self {
        let app_id = app_id.into();
        Self(ByRawId {
            raw_id: format!("28:{}:{app_id}", cloud.teams_prefix()),
            parts: TeamsApp { app_id, cloud },
        })
    }

    /// Replaces the raw ID by the one that a service returned. An empty one is treated as absent.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw ID.
    #[must_use]
    pub fn with_raw_id(self, raw_id: impl Into<String>) -> Self {
        Self(self.0.with_raw_id(raw_id.into()))
    }

    /// Returns the ID of the application.
    #[must_use]
    pub fn app_id(&self) -> &str {
        &self.0.parts.app_id
    }

    /// Returns the cloud that the application belongs to.
    #[must_use]
    pub fn cloud(&self) -> &CommunicationCloudEnvironment {
        &self.0.parts.cloud
    }

    /// Returns the raw ID.
    #[must_use]
    pub fn raw_id(&self) -> &str {
        &self.0.raw_id
    }
}

impl fmt::Display for MicrosoftTeamsAppIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A Microsoft Teams Phone user who uses a Communication Services resource to [extend Teams Phone][tpe]. The raw ID is
/// `8:acs:<resource>_<tenant>_<user>`; in other clouds it begins with `8:dod-acs:` and `8:gcch-acs:`.
///
/// Two of them are equal if their raw IDs are.
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

/// The parts of a [`TeamsExtensionUserIdentifier`]. The fields have names because the IDs are easily swapped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TeamsExtensionUserParts {
    /// The object ID of the Entra user.
    pub user_id: String,
    /// The ID of the user's Entra tenant.
    pub tenant_id: String,
    /// The immutable ID of the Communication Services resource.
    pub resource_id: String,
    /// The cloud that the user belongs to.
    pub cloud: CommunicationCloudEnvironment,
}

impl TeamsExtensionUserIdentifier {
    /// Creates an identifier.
    ///
    /// # Arguments
    ///
    /// * `parts` - The IDs of the user, the tenant and the resource, and the cloud.
    #[must_use]
    pub fn new(parts: TeamsExtensionUserParts) -> Self {
        let raw_id = format!(
            "8:{}:{}_{}_{}",
            parts.cloud.resource_prefix(),
            parts.resource_id,
            parts.tenant_id,
            parts.user_id
        );
        Self(ByRawId { raw_id, parts })
    }

    /// Replaces the raw ID by the one that a service returned. An empty one is treated as absent.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw ID.
    #[must_use]
    pub fn with_raw_id(self, raw_id: impl Into<String>) -> Self {
        Self(self.0.with_raw_id(raw_id.into()))
    }

    /// Returns the IDs of the user, the tenant and the resource, and the cloud.
    #[must_use]
    pub fn parts(&self) -> &TeamsExtensionUserParts {
        &self.0.parts
    }

    /// Returns the raw ID.
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
    use std::collections::HashSet;

    const ID: &str = "45ab2481-1c1c-4005-be24-0ffb879b1130";

    #[test]
    fn a_users_raw_id_follows_from_the_cloud() {
        // The expected values are those of the other languages' test suites.
        for (user, raw_id) in [
            (MicrosoftTeamsUserIdentifier::new(ID, Public), format!("8:orgid:{ID}")),
            (MicrosoftTeamsUserIdentifier::new(ID, Dod), format!("8:dod:{ID}")),
            (MicrosoftTeamsUserIdentifier::new(ID, Gcch), format!("8:gcch:{ID}")),
            (
                MicrosoftTeamsUserIdentifier::new(ID, UnknownValue("moon".to_owned())),
                format!("8:orgid:{ID}"),
            ),
            (
                MicrosoftTeamsUserIdentifier::anonymous(ID),
                format!("8:teamsvisitor:{ID}"),
            ),
            (
                MicrosoftTeamsUserIdentifier::new(ID, Public).with_raw_id("8:orgid:legacyFormat"),
                "8:orgid:legacyFormat".to_owned(),
            ),
            (
                MicrosoftTeamsUserIdentifier::anonymous(ID).with_raw_id("8:orgid:legacyFormat"),
                "8:orgid:legacyFormat".to_owned(),
            ),
            (
                MicrosoftTeamsUserIdentifier::new(ID, Dod).with_raw_id(""),
                format!("8:dod:{ID}"),
            ),
        ] {
            assert_eq!(user.raw_id(), raw_id);
            assert_eq!(user.to_string(), raw_id);
            assert_eq!(user.user_id(), ID);
        }
    }

    #[test]
    fn users_with_equal_raw_ids_are_equal() {
        let user = MicrosoftTeamsUserIdentifier::new("legacyFormat", Public);
        let given = MicrosoftTeamsUserIdentifier::anonymous(ID).with_raw_id("8:orgid:legacyFormat");
        assert_eq!(user, given);
        assert_eq!(user.cmp(&given), std::cmp::Ordering::Equal);
        assert_eq!(HashSet::from([user.clone(), given]).len(), 1);

        let other = MicrosoftTeamsUserIdentifier::new("legacyFormat", Dod);
        assert_ne!(user, other);
        assert!(other < user, "8:dod: comes before 8:orgid:");
    }

    #[test]
    fn an_apps_raw_id_follows_from_the_cloud() {
        // The expected values are those of the other languages' test suites.
        const ID: &str = "01234567-89ab-cdef-0123-456789abcdef";
        for (cloud, raw_id) in [
            (Public, format!("28:orgid:{ID}")),
            (Gcch, format!("28:gcch:{ID}")),
            (Dod, format!("28:dod:{ID}")),
            (UnknownValue("moon".to_owned()), format!("28:orgid:{ID}")),
        ] {
            let app = MicrosoftTeamsAppIdentifier::new(ID, cloud.clone());
            assert_eq!(app.raw_id(), raw_id);
            assert_eq!(app.to_string(), raw_id);
            assert_eq!((app.app_id(), app.cloud()), (ID, &cloud));

            let app = app.with_raw_id("28:orgid:legacyFormat");
            assert_eq!(app.raw_id(), "28:orgid:legacyFormat");
            assert_eq!(app.app_id(), ID);
        }
    }

    #[test]
    fn an_extension_users_raw_id_follows_from_its_parts() {
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
