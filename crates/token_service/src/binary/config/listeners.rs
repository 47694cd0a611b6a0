//! The addresses of the listeners.

use super::given::Given;
use std::net::{Ipv4Addr, SocketAddr};

/// The addresses to listen on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listeners {
    pub(super) api: SocketAddr,
    pub(super) operations: Option<SocketAddr>,
}

impl Listeners {
    pub(super) fn of(given: &mut Given<'_>) -> Option<Self> {
        const API: &str = "listen";
        const OPERATIONS: &str = "operations_listen";
        let api = if given.has(API) {
            socket_address(given, API)
        } else {
            Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)))
        };
        let operations = given.has(OPERATIONS).then(|| socket_address(given, OPERATIONS));
        if let (Some(api), Some(Some(operations))) = (api, operations)
            && api == operations
            && api.port() != 0
        {
            given.fault(
                OPERATIONS,
                "is the same as listen; give it another port, or remove it to serve the operations with the API",
            );
        }
        if !given.has("tls.certificate") && !given.has("tls.key") && !given.flag("allow_plain_http") {
            check_plain_http(given, api);
        }
        Some(Self {
            api: api?,
            operations: match operations {
                Some(address) => Some(address?),
                None => None,
            },
        })
    }
}

/// Refuses plain http beyond loopback, as the tokens in it are readable on the network.
fn check_plain_http(given: &mut Given<'_>, listen: Option<SocketAddr>) {
    if listen.is_some_and(|address| !address.ip().is_loopback()) {
        given.fault(
            "listen",
            "is no loopback address, and without tls.certificate and tls.key whoever is on the network can read the \
             tokens of users; set these, or allow_plain_http = true where nobody but a proxy that terminates TLS can \
             reach it",
        );
    }
}

/// The address that a key has; `None` after a fault.
fn socket_address(given: &mut Given<'_>, key: &str) -> Option<SocketAddr> {
    let address = given.text(key)?.trim().parse().ok();
    if address.is_none() {
        given.fault(
            key,
            "has to be an IP address and a port, such as 127.0.0.1:8080 or [::1]:8080",
        );
    }
    address
}
