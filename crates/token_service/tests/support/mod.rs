//! Support of all tests: HTTP clients without proxies, and a gate before the emulator.

pub(crate) mod gate;

use reqwest::{Certificate, Client};

/// The audience of callers' tokens.
pub(crate) const AUDIENCE: &str = "https://api.contoso.com";

/// The permissions of a Teams user's Entra token.
pub(crate) const TEAMS_SCOPES: [&str; 2] = [
    "https://auth.msft.communication.azure.com/Teams.ManageCalls",
    "https://auth.msft.communication.azure.com/Teams.ManageChats",
];

/// The permission of an Entra token for Teams Phone.
pub(crate) const TEAMS_PHONE_SCOPE: &str = "https://auth.msft.communication.azure.com/TeamsExtension.ManageCalls";

/// Creates a client that ignores the proxies of the environment.
pub(crate) fn http() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// Creates a client that trusts one certificate, and ignores the proxies of the environment.
pub(crate) fn http_trusting(certificate: &str) -> Client {
    let certificate = Certificate::from_pem(certificate.as_bytes()).unwrap();
    Client::builder()
        .no_proxy()
        .tls_certs_only([certificate])
        .build()
        .unwrap()
}
