//! `[acs]`: the Communication Services resource.

use super::{address, given::Given};
use azure_communication_identity::{CommunicationIdentityClient, CommunicationIdentityClientOptions};
use azure_core::{
    credentials::Secret,
    http::{ClientOptions, Transport},
};
use std::num::NonZeroU32;

/// The Communication Services resource and its limits.
#[derive(Debug)]
pub(crate) struct Acs {
    pub(crate) authentication: Authentication,
    /// The number of replicas that share the limits of the resource.
    pub(crate) replicas: NonZeroU32,
    /// The most requests that may wait for the limits.
    pub(crate) queue: usize,
}

/// The credentials that the resource accepts.
#[derive(Debug)]
pub(crate) enum Authentication {
    ConnectionString {
        text: Secret,
        /// Set for an emulator on this machine.
        on_loopback: bool,
    },
    Entra {
        endpoint: String,
        credential: Credential,
    },
}

/// The source of Entra ID's tokens.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Credential {
    ManagedIdentity { client_id: Option<String> },
    WorkloadIdentity,
    Sidecar { api: String },
    DeveloperTools,
}

impl Acs {
    pub(super) fn of(given: &mut Given<'_>, transport: &Transport) -> Option<Self> {
        let authentication = Authentication::of(given, transport);
        // The limit of some operations is 500, of which each replica gets one at least.
        let replicas = given.number("acs.replicas", 1..=500, 1);
        let queue = given.number("acs.queue", 0..=100_000, 1000);
        Some(Self {
            authentication: authentication?,
            replicas: u32::try_from(replicas).ok().and_then(NonZeroU32::new)?,
            queue: usize::try_from(queue).ok()?,
        })
    }
}

impl Authentication {
    /// Returns whether the resource is an emulator on this machine.
    pub(crate) fn is_on_loopback(&self) -> bool {
        matches!(self, Self::ConnectionString { on_loopback: true, .. })
    }

    fn of(given: &mut Given<'_>, transport: &Transport) -> Option<Self> {
        let key = ["acs.connection_string", "acs.connection_string_file"]
            .into_iter()
            .find(|key| given.has(key));
        let Some(key) = key else {
            return Self::entra(given);
        };
        for other in [
            "acs.endpoint",
            "acs.credential",
            "acs.managed_identity_client_id",
            "acs.sidecar_api",
        ] {
            given.contradict(key, other);
        }
        let connection_string = given.secret("acs.connection_string", "acs.connection_string_file")?;
        let options = CommunicationIdentityClientOptions {
            client_options: ClientOptions {
                transport: Some(transport.clone()),
                ..ClientOptions::default()
            },
            ..CommunicationIdentityClientOptions::default()
        };
        // The error names the part that is wrong, and shows nothing of it.
        match CommunicationIdentityClient::with_connection_string(&connection_string, Some(options)) {
            Ok(client) => Some(Self::ConnectionString {
                text: Secret::new(connection_string),
                on_loopback: address::is_loopback(client.endpoint()),
            }),
            Err(error) => {
                given.fault(key, error.to_string());
                None
            }
        }
    }

    fn entra(given: &mut Given<'_>) -> Option<Self> {
        let endpoint = given.text("acs.endpoint");
        if !given.has("acs.endpoint") {
            given.missing(
                "acs.endpoint",
                "it is the address of your resource, https://<resource>.communication.azure.com, to be used with \
                 acs.credential; or give acs.connection_string or acs.connection_string_file",
            );
        }
        let mut endpoint_is_good = endpoint.is_some();
        if let Some(endpoint) = &endpoint {
            let checked = address::secure_url(endpoint).map(|url| url.scheme() == "https" && url.path() == "/");
            endpoint_is_good = checked == Ok(true);
            if !endpoint_is_good {
                given.fault(
                    "acs.endpoint",
                    "has to look like https://<resource>.communication.azure.com",
                );
            }
        }
        let credential = Credential::of(given)?;
        Some(Self::Entra {
            endpoint: endpoint.filter(|_| endpoint_is_good)?,
            credential,
        })
    }
}

impl Credential {
    fn of(given: &mut Given<'_>) -> Option<Self> {
        const NAMES: &str = "\"managed_identity\", \"workload_identity\", \"sidecar\" or \"developer_tools\"";
        if !given.has("acs.credential") && given.has("acs.endpoint") {
            given.missing("acs.credential", &format!("it is {NAMES}"));
        }
        let credential = given.text("acs.credential")?;
        let kind = credential.as_str();
        for (key, of) in [
            ("acs.managed_identity_client_id", "managed_identity"),
            ("acs.sidecar_api", "sidecar"),
        ] {
            if kind != of && given.has(key) {
                given.fault(key, format!("is for acs.credential = \"{of}\" only; remove it"));
            }
        }
        match kind {
            "managed_identity" => Some(Self::ManagedIdentity {
                client_id: given.text("acs.managed_identity_client_id"),
            }),
            "workload_identity" => Some(Self::WorkloadIdentity),
            "developer_tools" => Some(Self::DeveloperTools),
            "sidecar" => {
                if !given.has("acs.sidecar_api") {
                    let reason = "it is the name under which the sidecar's configuration (DownstreamApis) has \
                                  https://communication.azure.com/.default";
                    given.missing("acs.sidecar_api", reason);
                }
                let api = given.text("acs.sidecar_api")?;
                Some(Self::Sidecar { api })
            }
            _ => {
                given.fault("acs.credential", format!("has to be {NAMES}"));
                None
            }
        }
    }
}
