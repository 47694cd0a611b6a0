//! `[teams]`: tokens for Teams users.

use super::{given::Given, issuer::guid};

/// The exchange of Teams users' tokens.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Teams {
    pub(crate) client_id: String,
    /// The API of the sidecar that acquires the tokens of Teams users, where they do not send them.
    pub(crate) sidecar_api: Option<String>,
}

impl Teams {
    pub(super) fn of(given: &mut Given<'_>) -> Option<Self> {
        let keys = ["teams.client_id", "teams.sidecar_api"];
        let key = keys.into_iter().find(|key| given.has(key))?;
        // Unless the kind is a fault of its own.
        if let Some("oidc" | "logto") = given.text("issuer.kind").as_deref() {
            given.fault(
                key,
                "is for issuer.kind = \"entra\" only; remove it, as other issuers may let users choose their oid",
            );
        }
        let reason = "it is the application (client) id that the Teams tokens are issued to";
        Some(Self {
            client_id: guid(given, "teams.client_id", reason)?,
            sidecar_api: given.text("teams.sidecar_api"),
        })
    }
}
