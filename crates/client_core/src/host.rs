//! Hosts on this machine.

use url::{Host, Url};

/// Returns whether a URL names this machine's loopback: `localhost`, or an address in 127.0.0.0/8 or `::1`.
///
/// Names below `localhost` are not: some resolvers ask the network for them.
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_by_name_or_address() {
        for (url, expected) in [
            ("http://localhost", true),
            ("https://LOCALHOST:8443/a", true),
            ("http://127.0.0.1:8080", true),
            ("http://127.1.2.3", true),
            ("http://2130706433", true),
            ("http://[::1]", true),
            ("http://[::ffff:127.0.0.1]", false),
            ("http://0.0.0.0", false),
            ("http://10.0.0.1", false),
            ("http://localhost.contoso.com", false),
            ("http://sidecar.localhost", false),
            ("http://127.0.0.1.contoso.com", false),
            ("unix:/run/socket", false),
        ] {
            assert_eq!(is_loopback(&url.parse().unwrap()), expected, "{url}");
        }
    }
}
