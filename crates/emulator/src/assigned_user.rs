//! Users of Entra ID whom an assignment admits to the resource.

use std::fmt::{self, Display, Formatter};
use uuid::Uuid;

/// What an assignment admits a user to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Teams Phone extensibility.
    TeamsExtension,
    /// Chat and calling as a user of Entra ID.
    Entra,
}

/// The id of a user: `8:acs:<resource>_<tenant>_<user>` for Teams Phone extensibility, and
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
