//! What a user lets an application do.

use serde::Deserialize;

/// The `scp` claim of an Entra ID token: permissions, separated by spaces.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Permissions(String);

impl Permissions {
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split_ascii_whitespace()
    }

    pub(crate) fn include(&self, name: &str) -> bool {
        self.names().any(|included| included == name)
    }
}
