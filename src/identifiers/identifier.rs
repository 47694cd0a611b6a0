//! The identifier of a participant of any kind, and its raw ID.

use super::{
    cloud::CommunicationCloudEnvironment::{self, Dod, Gcch, Public},
    phone::{self, PhoneNumberIdentifier},
    raw_id::UnknownIdentifier,
    teams::{
        MicrosoftTeamsAppIdentifier, MicrosoftTeamsUserIdentifier, TeamsExtensionUserIdentifier,
        TeamsExtensionUserParts,
    },
    user::CommunicationUserIdentifier,
};
use std::{
    cmp::Ordering,
    convert::Infallible,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

/// A participant of a call or chat: one of the kinds of [communication identifiers][concept].
///
/// Each has a raw ID, which is unique; [`from_raw_id`](Self::from_raw_id) parses it, and `Display` writes it. Two
/// identifiers are equal if their raw IDs are, so an identifier can be the key of a map. Raw IDs are compared unchanged:
/// `4:14255550121` and `4:+14255550121` differ.
///
/// # JSON
///
/// serde reads and writes the [`CommunicationIdentifierModel`][spec] of the services' REST APIs, of their events and of the
/// other languages' libraries. To store an identifier, its raw ID is enough.
///
/// - The JSON has `rawId` and the one object of the kind, with its defaults (`isAnonymous`, `cloud`), because some readers
///   require them. It has no `kind`: the services require it in their responses only, and the object implies it.
/// - Required are the IDs in the object, and `rawId` if there is no object. A missing `isAnonymous` is false, a missing
///   `cloud` public, and a missing `kind` that of the object. `rawId` is kept, also if another one follows from the object;
///   only the ID of a `communicationUser` takes its place. Other properties are ignored.
/// - More than one object is an error. A `kind` that is unknown or does not fit the object makes the identifier
///   [`Unknown`](Self::Unknown), with the `rawId`, as in the other libraries.
///
/// [concept]: https://learn.microsoft.com/azure/communication-services/concepts/identifiers
/// [spec]: https://github.com/Azure/azure-rest-api-specs/blob/main/specification/communication/data-plane/Common/stable/2025-06-30/common.json
///
/// # Examples
///
/// ```
/// use azure_communication_identity::CommunicationIdentifier;
///
/// match CommunicationIdentifier::from_raw_id("4:+14255550121") {
///     CommunicationIdentifier::CommunicationUser(user) => println!("a user of the resource: {user}"),
///     CommunicationIdentifier::PhoneNumber(phone) => println!("{} calls", phone.phone_number()),
///     other => println!("another participant: {other}"),
/// }
/// ```
///
/// ```
/// use azure_communication_identity::CommunicationIdentifier;
/// use serde_json::json;
///
/// let event = json!({
///     "kind": "phoneNumber",
///     "rawId": "4:+14255550121",
///     "phoneNumber": { "value": "+14255550121" },
/// });
/// let caller: CommunicationIdentifier = serde_json::from_value(event)?;
/// assert_eq!(caller.raw_id(), "4:+14255550121");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CommunicationIdentifier {
    /// A user that a Communication Services resource created: `8:acs:<resource>_<user>`.
    CommunicationUser(CommunicationUserIdentifier),
    /// A phone number: `4:<number>`.
    PhoneNumber(PhoneNumberIdentifier),
    /// A Microsoft Teams user: `8:orgid:<user>`, or `8:teamsvisitor:<user>` if anonymous.
    MicrosoftTeamsUser(MicrosoftTeamsUserIdentifier),
    /// A Microsoft Teams application: `28:orgid:<application>`.
    MicrosoftTeamsApp(MicrosoftTeamsAppIdentifier),
    /// A Microsoft Teams Phone user of a Communication Services resource: `8:acs:<resource>_<tenant>_<user>`.
    TeamsExtensionUser(TeamsExtensionUserIdentifier),
    /// A participant of a kind that this crate does not know.
    Unknown(UnknownIdentifier),
}

impl CommunicationIdentifier {
    /// Parses a raw ID. A text that no rule fits becomes [`Unknown`](Self::Unknown); the raw ID of the identifier is the text
    /// in any case.
    ///
    /// The rules are those of the other languages' libraries. Where these differ, an empty ID is not one: `8:acs:`, or any
    /// other prefix alone, is unknown, and a Teams Phone user has three parts of which none is empty.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw ID.
    #[must_use]
    pub fn from_raw_id(raw_id: &str) -> Self {
        known(raw_id).unwrap_or_else(|| UnknownIdentifier::new(raw_id).into())
    }

    /// Returns the raw ID.
    #[must_use]
    pub fn raw_id(&self) -> &str {
        match self {
            Self::CommunicationUser(user) => user.as_str(),
            Self::PhoneNumber(phone) => phone.raw_id(),
            Self::MicrosoftTeamsUser(user) => user.raw_id(),
            Self::MicrosoftTeamsApp(app) => app.raw_id(),
            Self::TeamsExtensionUser(user) => user.raw_id(),
            Self::Unknown(unknown) => unknown.raw_id(),
        }
    }

    /// Returns the user of a Communication Services resource, if it is one, for the operations of
    /// [`CommunicationIdentityClient`](crate::CommunicationIdentityClient).
    #[must_use]
    pub fn as_communication_user(&self) -> Option<&CommunicationUserIdentifier> {
        match self {
            Self::CommunicationUser(user) => Some(user),
            _ => None,
        }
    }
}

/// Parses a raw ID; `None` if no rule fits.
fn known(raw_id: &str) -> Option<CommunicationIdentifier> {
    if let Some(number) = raw_id.strip_prefix(phone::PREFIX).filter(|number| !number.is_empty()) {
        return Some(PhoneNumberIdentifier::new(number).into());
    }
    let [class, space, id] = split(raw_id, ':')?;
    Some(match (class, space) {
        ("8", "acs") => user_of_resource(raw_id, id, Public)?,
        ("8", "dod-acs") => user_of_resource(raw_id, id, Dod)?,
        ("8", "gcch-acs") => user_of_resource(raw_id, id, Gcch)?,
        ("8", "spool") => communication_user(raw_id)?,
        ("8", "orgid") => MicrosoftTeamsUserIdentifier::new(id, Public).into(),
        ("8", "dod") => MicrosoftTeamsUserIdentifier::new(id, Dod).into(),
        ("8", "gcch") => MicrosoftTeamsUserIdentifier::new(id, Gcch).into(),
        ("8", "teamsvisitor") => MicrosoftTeamsUserIdentifier::anonymous(id).into(),
        ("28", "orgid") => MicrosoftTeamsAppIdentifier::new(id, Public).into(),
        ("28", "dod") => MicrosoftTeamsAppIdentifier::new(id, Dod).into(),
        ("28", "gcch") => MicrosoftTeamsAppIdentifier::new(id, Gcch).into(),
        _ => return None,
    })
}

/// Returns a Teams Phone user if the ID has the three parts of one, otherwise a user that the resource created.
fn user_of_resource(raw_id: &str, id: &str, cloud: CommunicationCloudEnvironment) -> Option<CommunicationIdentifier> {
    let Some([resource_id, tenant_id, user_id]) = split(id, '_') else {
        return communication_user(raw_id);
    };
    let parts = TeamsExtensionUserParts {
        user_id: user_id.to_owned(),
        tenant_id: tenant_id.to_owned(),
        resource_id: resource_id.to_owned(),
        cloud,
    };
    Some(TeamsExtensionUserIdentifier::new(parts).into())
}

fn communication_user(raw_id: &str) -> Option<CommunicationIdentifier> {
    CommunicationUserIdentifier::new(raw_id).ok().map(Into::into)
}

/// Returns the parts of a text that has three of them, none empty.
fn split(text: &str, separator: char) -> Option<[&str; 3]> {
    let parts: Vec<_> = text.splitn(4, separator).collect();
    let parts: [&str; 3] = parts.try_into().ok()?;
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

impl FromStr for CommunicationIdentifier {
    type Err = Infallible;

    fn from_str(raw_id: &str) -> Result<Self, Self::Err> {
        Ok(Self::from_raw_id(raw_id))
    }
}

impl fmt::Display for CommunicationIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.raw_id())
    }
}

impl PartialEq for CommunicationIdentifier {
    fn eq(&self, other: &Self) -> bool {
        self.raw_id() == other.raw_id()
    }
}

impl Eq for CommunicationIdentifier {}

impl Hash for CommunicationIdentifier {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw_id().hash(state);
    }
}

impl PartialOrd for CommunicationIdentifier {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for CommunicationIdentifier {
    fn cmp(&self, other: &Self) -> Ordering {
        self.raw_id().cmp(other.raw_id())
    }
}

impl From<CommunicationUserIdentifier> for CommunicationIdentifier {
    fn from(user: CommunicationUserIdentifier) -> Self {
        Self::CommunicationUser(user)
    }
}

impl From<PhoneNumberIdentifier> for CommunicationIdentifier {
    fn from(phone: PhoneNumberIdentifier) -> Self {
        Self::PhoneNumber(phone)
    }
}

impl From<MicrosoftTeamsUserIdentifier> for CommunicationIdentifier {
    fn from(user: MicrosoftTeamsUserIdentifier) -> Self {
        Self::MicrosoftTeamsUser(user)
    }
}

impl From<MicrosoftTeamsAppIdentifier> for CommunicationIdentifier {
    fn from(app: MicrosoftTeamsAppIdentifier) -> Self {
        Self::MicrosoftTeamsApp(app)
    }
}

impl From<TeamsExtensionUserIdentifier> for CommunicationIdentifier {
    fn from(user: TeamsExtensionUserIdentifier) -> Self {
        Self::TeamsExtensionUser(user)
    }
}

impl From<UnknownIdentifier> for CommunicationIdentifier {
    fn from(unknown: UnknownIdentifier) -> Self {
        Self::Unknown(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeSet, HashMap};

    #[test]
    fn identifiers_with_equal_raw_ids_are_equal() {
        let user = CommunicationIdentifier::from_raw_id("8:acs:a_b");
        let same = CommunicationIdentifier::from(UnknownIdentifier::new("8:acs:a_b"));
        let other = CommunicationIdentifier::from_raw_id("8:acs:a_c");
        assert_eq!(user, same);
        assert_eq!(user.cmp(&same), Ordering::Equal);
        assert_ne!(user, other);

        let calls = HashMap::from([(user, 1), (other, 2)]);
        assert_eq!(calls.get(&same), Some(&1));
    }

    #[test]
    fn identifiers_are_in_the_order_of_their_raw_ids() {
        let raw_ids = ["", "28:orgid:a", "4:+1", "8:acs:a", "8:dod:a"];
        let sorted: BTreeSet<_> = raw_ids
            .iter()
            .rev()
            .map(|raw_id| raw_id.parse::<CommunicationIdentifier>().unwrap())
            .collect();
        assert!(sorted.iter().map(CommunicationIdentifier::raw_id).eq(raw_ids));
    }

    #[test]
    fn a_user_keeps_an_id_of_any_form() {
        let user = CommunicationUserIdentifier::new("someFutureFormat").unwrap();
        let identifier = CommunicationIdentifier::from(user.clone());
        assert_eq!(identifier.raw_id(), "someFutureFormat");
        assert_eq!(identifier.as_communication_user(), Some(&user));

        let phone = CommunicationIdentifier::from(PhoneNumberIdentifier::new("+1"));
        assert_eq!(phone.as_communication_user(), None);
    }

    // The raw IDs and what they are come from the other languages' test suites; A, B, R and U are the IDs used there.
    const A: &str = "45ab2481-1c1c-4005-be24-0ffb879b1130";
    const B: &str = "01234567-89ab-cdef-0123-456789abcdef";
    const R: &str = "bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd";
    const U: &str = "207ffef6-9444-41fb-92ab-20eacaae2768";

    fn parse(raw_id: &str) -> CommunicationIdentifier {
        let identifier = CommunicationIdentifier::from_raw_id(raw_id);
        assert_eq!(identifier.raw_id(), raw_id);
        assert_eq!(identifier.to_string(), raw_id);
        identifier
    }

    #[test]
    fn users_of_a_resource() {
        for raw_id in [
            format!("8:acs:{R}_{A}"),
            format!("8:spool:{R}_{A}"),
            format!("8:dod-acs:{R}_{A}"),
            format!("8:gcch-acs:{R}_{A}"),
            "8:acs:something".to_owned(),
            // An Entra user of a resource has four parts.
            format!("8:acs:{R}_wf_{A}_{U}"),
            // A legacy user has no parts to look at.
            format!("8:spool:{R}_{A}_{U}"),
        ] {
            let identifier = parse(&raw_id);
            assert_eq!(identifier.as_communication_user().unwrap().as_str(), raw_id);
        }
    }

    #[test]
    fn teams_users() {
        for (raw_id, id, is_anonymous, cloud) in [
            (format!("8:orgid:{A}"), A, false, Public),
            (format!("8:dod:{A}"), A, false, Dod),
            (format!("8:gcch:{A}"), A, false, Gcch),
            (format!("8:teamsvisitor:{A}"), A, true, Public),
            ("8:orgid:legacyFormat".to_owned(), "legacyFormat", false, Public),
        ] {
            let CommunicationIdentifier::MicrosoftTeamsUser(user) = parse(&raw_id) else {
                panic!("{raw_id} is not a Teams user");
            };
            assert_eq!(
                (user.user_id(), user.is_anonymous(), user.cloud()),
                (id, is_anonymous, &cloud)
            );
        }
    }

    #[test]
    fn teams_apps() {
        for (raw_id, id, cloud) in [
            (format!("28:orgid:{B}"), B, Public),
            (format!("28:gcch:{B}"), B, Gcch),
            (format!("28:dod:{B}"), B, Dod),
            (format!("28:orgid:{A}"), A, Public),
        ] {
            let CommunicationIdentifier::MicrosoftTeamsApp(app) = parse(&raw_id) else {
                panic!("{raw_id} is not a Teams application");
            };
            assert_eq!((app.app_id(), app.cloud()), (id, &cloud));
        }
    }

    #[test]
    fn teams_phone_users() {
        for (prefix, cloud) in [("acs", Public), ("gcch-acs", Gcch), ("dod-acs", Dod)] {
            let raw_id = format!("8:{prefix}:{R}_{A}_{U}");
            let CommunicationIdentifier::TeamsExtensionUser(user) = parse(&raw_id) else {
                panic!("{raw_id} is not a Teams Phone user");
            };
            let expected = TeamsExtensionUserParts {
                user_id: U.to_owned(),
                tenant_id: A.to_owned(),
                resource_id: R.to_owned(),
                cloud,
            };
            assert_eq!(user.parts(), &expected);
        }
    }

    #[test]
    fn phone_numbers() {
        for (number, is_anonymous, asserted_id) in [
            ("112345556789", false, None),
            ("+112345556789", false, None),
            ("otherFormat", false, None),
            (U, false, None),
            (&format!("{U}_{U}"), false, Some(U)),
            (&format!("+112345556789_{U}"), false, Some(U)),
            (&format!("{U}_"), false, None),
            (&format!("+112345556789_{U}_123"), false, Some("123")),
            ("_123", false, Some("123")),
            ("anonymous", true, None),
            ("anonymous_123", false, Some("123")),
            ("_anonymous", false, Some("anonymous")),
            // A number may hold any character.
            ("+1:2:3", false, None),
        ] {
            let CommunicationIdentifier::PhoneNumber(phone) = parse(&format!("4:{number}")) else {
                panic!("{number} is not a phone number");
            };
            assert_eq!(
                (phone.phone_number(), phone.is_anonymous(), phone.asserted_id()),
                (number, is_anonymous, asserted_id)
            );
        }
    }

    #[test]
    fn all_other_raw_ids_are_unknown() {
        for raw_id in [
            format!("28:{A}"),
            format!("28:gcch-global:{B}"),
            format!("28:dod-global:{B}"),
            format!("28:ag08-global:{B}"),
            format!("28:ag09-global:{B}"),
            format!("28:gal-global:{B}"),
            format!("48:{A}"),
            format!("8:gcch-acs:segment4:{R}_{A}"),
            String::new(),
            format!("8:ORGID:{A}"),
            format!(" 8:orgid:{A}"),
            ".".to_owned(),
            "..".to_owned(),
        ] {
            assert!(
                matches!(parse(&raw_id), CommunicationIdentifier::Unknown(_)),
                "{raw_id} is known"
            );
        }
    }

    #[test]
    fn a_prefix_alone_is_unknown() {
        for prefix in [
            "4:",
            "8:acs:",
            "8:dod-acs:",
            "8:gcch-acs:",
            "8:spool:",
            "8:orgid:",
            "8:dod:",
            "8:gcch:",
            "8:teamsvisitor:",
            "28:orgid:",
            "28:dod:",
            "28:gcch:",
        ] {
            assert!(
                matches!(parse(prefix), CommunicationIdentifier::Unknown(_)),
                "{prefix} is known"
            );
        }
    }

    #[test]
    fn a_teams_phone_user_has_all_three_ids() {
        for id in ["__", "a__b", "_a_b", "a_b_"] {
            let identifier = parse(&format!("8:acs:{id}"));
            assert!(identifier.as_communication_user().is_some(), "{identifier:?}");
        }
    }
}
