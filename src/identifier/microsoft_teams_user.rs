//! A user of Microsoft Teams.

use super::{by_raw_id::ByRawId, cloud::CommunicationCloudEnvironment};
use std::fmt;

/// A Microsoft Teams user; the raw id is `8:orgid:<id>`, in other clouds `8:dod:<id>` and `8:gcch:<id>`, and for an
/// anonymous user `8:teamsvisitor:<id>`.
///
/// Two of them are the same if their raw ids are.
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
    /// Names a user who is signed in to Teams.
    ///
    /// # Arguments
    ///
    /// * `user_id` - The object id of the Entra user.
    /// * `cloud` - The cloud that the user belongs to.
    #[must_use]
    pub fn new(user_id: impl Into<String>, cloud: CommunicationCloudEnvironment) -> Self {
        Self::from_parts(user_id.into(), false, cloud)
    }

    /// Names a user who is not signed in, such as one who joins a meeting by its link.
    ///
    /// # Arguments
    ///
    /// * `user_id` - The id that Teams gave the user.
    #[must_use]
    pub fn anonymous(user_id: impl Into<String>) -> Self {
        Self::from_parts(user_id.into(), true, CommunicationCloudEnvironment::Public)
    }

    /// Takes the raw id that a service gave, in place of the one that follows from the rest. An empty one is none.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw id.
    #[must_use]
    pub fn with_raw_id(self, raw_id: impl Into<String>) -> Self {
        Self(self.0.with_raw_id(raw_id.into()))
    }

    pub(super) fn from_parts(user_id: String, is_anonymous: bool, cloud: CommunicationCloudEnvironment) -> Self {
        let prefix = if is_anonymous { "teamsvisitor" } else { cloud.of_teams() };
        Self(ByRawId {
            raw_id: format!("8:{prefix}:{user_id}"),
            parts: TeamsUser {
                user_id,
                is_anonymous,
                cloud,
            },
        })
    }

    /// The user's id: the object id of the Entra user, unless the user is anonymous.
    #[must_use]
    pub fn user_id(&self) -> &str {
        &self.0.parts.user_id
    }

    /// Whether the user is not signed in.
    #[must_use]
    pub fn is_anonymous(&self) -> bool {
        self.0.parts.is_anonymous
    }

    /// The cloud that the user belongs to. The raw id of an anonymous user does not tell it; it then is the public one.
    #[must_use]
    pub fn cloud(&self) -> &CommunicationCloudEnvironment {
        &self.0.parts.cloud
    }

    /// The raw id.
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

#[cfg(test)]
mod tests {
    use super::*;
    use CommunicationCloudEnvironment::{Dod, Gcch, Public, UnknownValue};
    use std::collections::HashSet;

    const ID: &str = "45ab2481-1c1c-4005-be24-0ffb879b1130";

    #[test]
    fn a_raw_id_follows_from_the_cloud_unless_it_is_given() {
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
    fn users_with_the_same_raw_id_are_the_same() {
        let user = MicrosoftTeamsUserIdentifier::new("legacyFormat", Public);
        let given = MicrosoftTeamsUserIdentifier::anonymous(ID).with_raw_id("8:orgid:legacyFormat");
        assert_eq!(user, given);
        assert_eq!(user.cmp(&given), std::cmp::Ordering::Equal);
        assert_eq!(HashSet::from([user.clone(), given]).len(), 1);

        let other = MicrosoftTeamsUserIdentifier::new("legacyFormat", Dod);
        assert_ne!(user, other);
        assert!(other < user, "8:dod: comes before 8:orgid:");
    }
}
