//! Whose identity and tokens are asked for.

use std::fmt::{self, Debug, Formatter};
use token_guard::Caller;

/// A user of the app, as the issuer of callers' tokens names them.
///
/// Of Entra ID, `sub` is another for each application, so `tid` and `oid` name the user. `Debug` shows nothing of it.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct AppUser(String);

impl AppUser {
    /// The user that a caller is.
    pub(crate) fn of(caller: &Caller) -> Self {
        match (caller.tenant_id(), caller.object_id()) {
            (Some(tenant_id), Some(object_id)) => Self(format!("{tenant_id}/{object_id}")),
            _ => Self(caller.subject().to_owned()),
        }
    }

    /// A user as they were stored.
    pub(crate) fn stored(id: String) -> Self {
        Self(id)
    }

    /// What is stored.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Debug for AppUser {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("AppUser")
    }
}
