//! A raw id, or an identifier in JSON: both survive unchanged, and the kind follows the rules.

use azure_communication_identity::{
    CommunicationIdentifier, CommunicationUserIdentifier, MicrosoftTeamsAppIdentifier, MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier, TeamsExtensionUserIdentifier, UnknownIdentifier,
};
use serde_json::Value;
use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) fn check(data: &[u8]) {
    if let Ok(identifier) = serde_json::from_slice::<CommunicationIdentifier>(data) {
        assert_same_through_json(&identifier);
    }
    let Ok(text) = str::from_utf8(data) else { return };

    let identifier = CommunicationIdentifier::from_raw_id(text);
    assert_eq!((identifier.raw_id(), identifier.to_string().as_str()), (text, text));
    assert_eq!(rebuilt(&identifier), text, "{identifier:?}");
    assert_eq!(assert_same_through_json(&identifier), kind(text), "{identifier:?}");

    let unknown = CommunicationIdentifier::from(UnknownIdentifier::new(text));
    assert_eq!((&identifier, hash(&identifier)), (&unknown, hash(&unknown)));
    let other = CommunicationIdentifier::from_raw_id(&format!("{text}0"));
    assert!(identifier < other, "{identifier:?}");

    let user = text.parse::<CommunicationUserIdentifier>();
    assert_eq!(user.is_ok(), !["", ".", ".."].contains(&text));
}

/// Asserts that an identifier comes back from its JSON, and returns the name of the object there.
fn assert_same_through_json(identifier: &CommunicationIdentifier) -> String {
    let json = serde_json::to_value(identifier).unwrap();
    let read: CommunicationIdentifier = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(read.raw_id(), identifier.raw_id());
    // Equality compares the raw id only; the kind and the rest survive, too.
    assert_eq!(serde_json::to_value(&read).unwrap(), json);
    assert_eq!(json.get("rawId").and_then(Value::as_str), Some(identifier.raw_id()));
    let mut names = json.as_object().unwrap().keys().filter(|name| *name != "rawId");
    let name = names.next().cloned();
    assert_eq!(names.next(), None);
    name.unwrap_or("unknown".to_owned())
}

/// Returns the raw id that follows from the parts of an identifier.
fn rebuilt(identifier: &CommunicationIdentifier) -> String {
    match identifier {
        CommunicationIdentifier::PhoneNumber(phone) => PhoneNumberIdentifier::new(phone.phone_number()).to_string(),
        CommunicationIdentifier::MicrosoftTeamsUser(user) if user.is_anonymous() => {
            MicrosoftTeamsUserIdentifier::anonymous(user.user_id()).to_string()
        }
        CommunicationIdentifier::MicrosoftTeamsUser(user) => {
            MicrosoftTeamsUserIdentifier::new(user.user_id(), user.cloud().clone()).to_string()
        }
        CommunicationIdentifier::MicrosoftTeamsApp(app) => {
            MicrosoftTeamsAppIdentifier::new(app.app_id(), app.cloud().clone()).to_string()
        }
        CommunicationIdentifier::TeamsExtensionUser(user) => {
            TeamsExtensionUserIdentifier::new(user.parts().clone()).to_string()
        }
        same => same.to_string(),
    }
}

/// Returns the kind of a raw id by the rules of the other languages' libraries.
fn kind(raw_id: &str) -> &'static str {
    if raw_id.starts_with("4:") && raw_id != "4:" {
        return "phoneNumber";
    }
    let parts: Vec<_> = raw_id.split(':').collect();
    match parts[..] {
        [_, _, ""] => "unknown",
        ["8", "acs" | "dod-acs" | "gcch-acs", id] if has_three_parts(id) => "teamsExtensionUser",
        ["8", "acs" | "dod-acs" | "gcch-acs" | "spool", _] => "communicationUser",
        ["8", "orgid" | "dod" | "gcch" | "teamsvisitor", _] => "microsoftTeamsUser",
        ["28", "orgid" | "dod" | "gcch", _] => "microsoftTeamsApp",
        _ => "unknown",
    }
}

fn has_three_parts(id: &str) -> bool {
    id.split('_').count() == 3 && !id.split('_').any(str::is_empty)
}

fn hash(identifier: &CommunicationIdentifier) -> u64 {
    let mut hasher = DefaultHasher::new();
    identifier.hash(&mut hasher);
    hasher.finish()
}
