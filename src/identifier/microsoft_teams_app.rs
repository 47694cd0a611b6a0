//! An application of Microsoft Teams.

use super::{by_raw_id::ByRawId, cloud::CommunicationCloudEnvironment};
use std::fmt;

/// A Microsoft Teams application, such as a call queue; the raw id is `28:orgid:<id>`, in other clouds `28:dod:<id>`
/// and `28:gcch:<id>`.
///
/// Two of them are the same if their raw ids are.
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
    /// Names an application.
    ///
    /// # Arguments
    ///
    /// * `app_id` - The id of the application.
    /// * `cloud` - The cloud that the application belongs to.
    #[must_use]
    pub fn new(app_id: impl Into<String>, cloud: CommunicationCloudEnvironment) -> Self {
        let app_id = app_id.into();
        Self(ByRawId {
            raw_id: format!("28:{}:{app_id}", cloud.of_teams()),
            parts: TeamsApp { app_id, cloud },
        })
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

    /// The id of the application.
    #[must_use]
    pub fn app_id(&self) -> &str {
        &self.0.parts.app_id
    }

    /// The cloud that the application belongs to.
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

impl fmt::Display for MicrosoftTeamsAppIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use CommunicationCloudEnvironment::{Dod, Gcch, Public, UnknownValue};

    #[test]
    fn a_raw_id_follows_from_the_cloud_unless_it_is_given() {
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
}
