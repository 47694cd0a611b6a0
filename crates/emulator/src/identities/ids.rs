//! Ids of identities and of assigned users.

use std::fmt::{self, Display, Formatter};
use uuid::Uuid;

/// The id of a communication user: `8:acs:<resource>_<user>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct IdentityId {
    pub(crate) resource: Uuid,
    pub(crate) user: Uuid,
}

impl IdentityId {
    /// Parses an id, exactly as [`Display`] writes it.
    pub(crate) fn parse(raw: &str) -> Option<Self> {
        Self::parse_skype_id(raw.strip_prefix("8:")?)
    }

    /// Parses the `skypeid` claim of a token: an id without its `8:`.
    pub(crate) fn parse_skype_id(raw: &str) -> Option<Self> {
        let (resource, user) = raw.strip_prefix("acs:")?.split_once('_')?;
        let id = Self {
            resource: Uuid::try_parse(resource).ok()?,
            user: Uuid::try_parse(user).ok()?,
        };
        (id.skype_id() == raw).then_some(id)
    }

    pub(crate) fn skype_id(self) -> String {
        format!("acs:{}_{}", self.resource, self.user)
    }
}

impl Display for IdentityId {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "8:acs:{}_{}", self.resource, self.user)
    }
}

/// The access that an assignment gives to a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Teams Phone extensibility.
    TeamsExtension,
    /// Chat and calling as a user of Entra ID.
    Entra,
}

/// The id of a user that an assignment admits: `8:acs:<resource>_<tenant>_<user>` for Teams Phone extensibility, and
/// `8:acs:<resource>_wf_<tenant>_<user>` for a user of Entra ID.
pub(crate) struct AssignedUser {
    pub(crate) access: Access,
    pub(crate) resource: Uuid,
    pub(crate) tenant: Uuid,
    pub(crate) user: Uuid,
}

impl AssignedUser {
    /// The id without its `8:`, for the `skypeid` claim of a token.
    pub(crate) fn skype_id(&self) -> String {
        let Self {
            access,
            resource,
            tenant,
            user,
        } = self;
        match access {
            Access::TeamsExtension => format!("acs:{resource}_{tenant}_{user}"),
            Access::Entra => format!("acs:{resource}_wf_{tenant}_{user}"),
        }
    }

    /// Returns whether a raw id is that of an assigned user.
    pub(crate) fn is_raw_id(raw: &str) -> bool {
        let skype_id = raw.strip_prefix("8:").unwrap_or_default();
        let mut parts = skype_id.split(['_', ':']).skip(1);
        Access::of_skype_id(skype_id).is_some() && parts.all(|part| part == "wf" || Uuid::try_parse(part).is_ok())
    }
}

impl Display for AssignedUser {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "8:{}", self.skype_id())
    }
}

impl Access {
    /// The access of the user with this `skypeid` claim; `None` if that is not the id of an assigned user.
    pub(crate) fn of_skype_id(skype_id: &str) -> Option<Self> {
        let mut parts = skype_id.strip_prefix("acs:")?.split('_');
        match [parts.next(), parts.next(), parts.next(), parts.next()] {
            [Some(_), Some(_), Some(_), None] => Some(Self::TeamsExtension),
            [Some(_), Some("wf"), Some(_), Some(_)] => Some(Self::Entra),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_form_is_accepted() {
        let user = "00000006-19e0-2727-80f5-8b3a0d003502";
        let resource = "11111111-1111-1111-1111-11111111111a";
        assert!(IdentityId::parse(&format!("8:acs:{resource}_{user}")).is_some());
        for bad in [
            String::new(),
            "sanitized".to_owned(),
            format!("acs:{resource}_{user}"),
            format!("8:acs:{resource}"),
            format!("8:acs:{resource}_{user}_{user}"),
            format!("8:acs:{}_{user}", resource.to_uppercase()),
            format!("8:acs:{{{resource}}}_{user}"),
            format!("8:gcch-acs:{resource}_{user}"),
        ] {
            assert_eq!(IdentityId::parse(&bad), None, "{bad}");
        }
    }
}
