//! What a raw id tells of whom it names.

use super::{
    CommunicationCloudEnvironment::{self, Dod, Gcch, Public},
    CommunicationIdentifier, CommunicationUserIdentifier, MicrosoftTeamsAppIdentifier, MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier, TeamsExtensionUserIdentifier, TeamsExtensionUserParts, UnknownIdentifier,
    phone_number::PREFIX,
};

/// Reads a raw id. Whatever follows no rule is unknown.
pub(super) fn parse(raw_id: &str) -> CommunicationIdentifier {
    known(raw_id).unwrap_or_else(|| UnknownIdentifier::new(raw_id).into())
}

fn known(raw_id: &str) -> Option<CommunicationIdentifier> {
    if let Some(number) = raw_id.strip_prefix(PREFIX).filter(|number| !number.is_empty()) {
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

/// A Teams Phone user if the id has the three parts of one, otherwise a user that the resource created.
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

/// The parts of a text that has three of them, none empty.
fn split(text: &str, separator: char) -> Option<[&str; 3]> {
    let parts: Vec<_> = text.splitn(4, separator).collect();
    let parts: [&str; 3] = parts.try_into().ok()?;
    parts.iter().all(|part| !part.is_empty()).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    // The raw ids and what they are come from the other languages' test suites; A, B, R and U are the ids used there.
    const A: &str = "45ab2481-1c1c-4005-be24-0ffb879b1130";
    const B: &str = "01234567-89ab-cdef-0123-456789abcdef";
    const R: &str = "bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd";
    const U: &str = "207ffef6-9444-41fb-92ab-20eacaae2768";

    fn parsed(raw_id: &str) -> CommunicationIdentifier {
        let identifier = parse(raw_id);
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
            let identifier = parsed(&raw_id);
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
            let CommunicationIdentifier::MicrosoftTeamsUser(user) = parsed(&raw_id) else {
                panic!("{raw_id} is no Teams user");
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
            let CommunicationIdentifier::MicrosoftTeamsApp(app) = parsed(&raw_id) else {
                panic!("{raw_id} is no Teams application");
            };
            assert_eq!((app.app_id(), app.cloud()), (id, &cloud));
        }
    }

    #[test]
    fn teams_phone_users() {
        for (prefix, cloud) in [("acs", Public), ("gcch-acs", Gcch), ("dod-acs", Dod)] {
            let raw_id = format!("8:{prefix}:{R}_{A}_{U}");
            let CommunicationIdentifier::TeamsExtensionUser(user) = parsed(&raw_id) else {
                panic!("{raw_id} is no Teams Phone user");
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
            // A number is all the rest, whatever it holds.
            ("+1:2:3", false, None),
        ] {
            let CommunicationIdentifier::PhoneNumber(phone) = parsed(&format!("4:{number}")) else {
                panic!("{number} is no phone number");
            };
            assert_eq!(
                (phone.phone_number(), phone.is_anonymous(), phone.asserted_id()),
                (number, is_anonymous, asserted_id)
            );
        }
    }

    #[test]
    fn everything_else_is_unknown() {
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
                matches!(parsed(&raw_id), CommunicationIdentifier::Unknown(_)),
                "{raw_id} is known"
            );
        }
    }

    #[test]
    fn who_has_no_id_is_unknown() {
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
                matches!(parsed(prefix), CommunicationIdentifier::Unknown(_)),
                "{prefix} is known"
            );
        }
    }

    #[test]
    fn a_teams_phone_user_has_all_three_ids() {
        for id in ["__", "a__b", "_a_b", "a_b_"] {
            let identifier = parsed(&format!("8:acs:{id}"));
            assert!(identifier.as_communication_user().is_some(), "{identifier:?}");
        }
    }
}
