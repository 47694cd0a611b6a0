//! `[sidecar]`: the Microsoft Entra SDK for AgentID.

use super::given::Given;
use entra_sidecar::{SidecarClient, SidecarClientOptions};

/// The client of the sidecar, if there is one.
pub(super) fn client(given: &mut Given<'_>) -> Option<SidecarClient> {
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
    let options = SidecarClientOptions {
        allow_any_host: given.flag("sidecar.allow_any_host"),
        ..SidecarClientOptions::default()
    };
    let client = SidecarClient::new(&url, Some(options)).map_err(|_| {
        given.fault(
            "sidecar.url",
            "has to look like http://localhost:5000, without a user, a query or a fragment; on a host that is neither \
             this machine nor a private address, only with sidecar.allow_any_host = true",
        )
    });
    client.ok()
}
