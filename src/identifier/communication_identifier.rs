//! Whoever takes part in a communication.

use super::{
    CommunicationUserIdentifier, MicrosoftTeamsAppIdentifier, MicrosoftTeamsUserIdentifier, PhoneNumberIdentifier,
    TeamsExtensionUserIdentifier, UnknownIdentifier, json::Model, parse::parse,
};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Ordering,
    convert::Infallible,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

/// Somebody who takes part in a call or chat: one of the kinds of [communication identifiers][concept].
///
/// Each has a raw id, which names it alone; [`from_raw_id`](Self::from_raw_id) turns that into an identifier, and
/// `Display` writes it. Two identifiers are the same if their raw ids are, whatever else is known of them, so one
/// can be the key of a map. Raw ids are compared as they are: `4:14255550121` and `4:+14255550121` differ.
///
/// # JSON
///
/// serde reads and writes the form in which the services' REST APIs and events, and the other languages' libraries,
/// exchange identifiers, the [`CommunicationIdentifierModel`][spec]. To store an identifier, its raw id is enough.
///
/// - Written are `rawId` and the one object that belongs to the kind, with its defaults spelled out (`isAnonymous`,
///   `cloud`), because some readers insist on them. `kind` is not: the services require it in their answers only, and
///   the object implies it.
/// - Read is what the specification requires: the ids in the object, and `rawId` if there is no object. A missing
///   `isAnonymous` is false, a missing `cloud` public, and a missing `kind` that of the object. `rawId` is kept as it
///   came, also if another one follows from the object; only the id of a `communicationUser` comes first. Properties that this crate does not know are ignored.
/// - More than one object is an error. A `kind` that is unknown or does not fit the object makes
///   [`Unknown`](Self::Unknown) of the `rawId`, as in the other libraries.
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
///     other => println!("somebody else: {other}"),
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
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(into = "Model", try_from = "Model")]
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
    /// Somebody of a kind that this crate does not know.
    Unknown(UnknownIdentifier),
}

impl CommunicationIdentifier {
    /// Reads a raw id. Every text is one: what follows no rule becomes [`Unknown`](Self::Unknown), and the raw id of the
    /// identifier is the text in any case.
    ///
    /// The rules are those of the other languages' libraries. Where these differ, an id that is not there at all names
    /// nobody: `8:acs:`, or any other prefix on its own, is unknown, and `8:acs:` makes a Teams Phone user of three
    /// parts only if none of them is empty.
    ///
    /// # Arguments
    ///
    /// * `raw_id` - The raw id.
    #[must_use]
    pub fn from_raw_id(raw_id: &str) -> Self {
        parse(raw_id)
    }

    /// The raw id.
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

    /// The user of a Communication Services resource, if it is one, as the operations of
    /// [`CommunicationIdentityClient`](crate::CommunicationIdentityClient) take it.
    #[must_use]
    pub fn as_communication_user(&self) -> Option<&CommunicationUserIdentifier> {
        match self {
            Self::CommunicationUser(user) => Some(user),
            _ => None,
        }
    }
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
    fn identifiers_with_the_same_raw_id_are_the_same() {
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
}
