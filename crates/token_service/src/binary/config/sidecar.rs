//! `[sidecar]`: the Microsoft Entra SDK for AgentID.

use super::given::Given;
use azure_core::http::Transport;
use entra_sidecar::{SidecarClient, SidecarClientOptions};

/// The sidecar.
#[derive(Clone, Debug)]
pub(crate) struct Sidecar {
    url: String,
    allow_any_host: bool,
}

impl Sidecar {
    /// Reads the section, which can be left out.
    pub(super) fn of(given: &mut Given<'_>, transport: &Transport) -> Option<Self> {
        let Some(url) = given.text("sidecar.url") else {
            for (key, wanted) in [
                ("acs.sidecar_api", "acs.credential = \"sidecar\""),
                ("teams.sidecar_api", "teams.sidecar_api"),
            ] {
                if given.has(key) && !given.has("sidecar.url") {
                    let reason =
                        format!("it is the address of the sidecar that {wanted} asks, such as http://localhost:5000");
                    given.missing("sidecar.url", &reason);
                    break;
                }
            }
            return None;
        };
        let sidecar = Self {
            url,
            allow_any_host: given.flag("sidecar.allow_any_host"),
        };
        if sidecar.client(Some(transport.clone())).is_err() {
            given.fault(
                "sidecar.url",
                "has to look like http://localhost:5000, without a user, a query or a fragment; on a host that is neither \
                 this machine nor a private address, only with sidecar.allow_any_host = true",
            );
            return None;
        }
        Some(sidecar)
    }

    /// Builds the client, which sends with this transport or else builds one.
    pub(crate) fn client(&self, transport: Option<Transport>) -> azure_core::Result<SidecarClient> {
        let mut options = SidecarClientOptions {
            allow_any_host: self.allow_any_host,
            ..SidecarClientOptions::default()
        };
        options.client_options.transport = transport;
        SidecarClient::new(&self.url, Some(options))
    }
}
