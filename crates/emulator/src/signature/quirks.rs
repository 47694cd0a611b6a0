//! Official SDKs that sign something other than what they send.

use http::uri::Authority;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// The hosts that an official SDK may have signed when it sends this `Host` header, beginning with the header itself.
///
/// Java signs the name without the port. JavaScript appends the port to a host that already has it; Node.js also sends
/// the result as the `Host` header, a browser does not. Python signs a default port that is written in the endpoint,
/// but does not send it in the `Host` header.
pub(super) fn hosts(host: &str) -> Vec<Cow<'_, str>> {
    let mut hosts = vec![Cow::Borrowed(host)];
    if let Ok(authority) = host.parse::<Authority>() {
        let name = authority.host();
        if let Some(port) = authority.port() {
            hosts.extend([name.to_owned().into(), format!("{host}:{port}").into()]);
        } else {
            hosts.extend([format!("{name}:443").into(), format!("{name}:80").into()]);
        }
    }
    hosts
}

/// The paths and queries that an official SDK may have signed when it sends this request target, beginning with the
/// target itself.
///
/// Python's asynchronous client signs the percent-decoded path, however its transport sends it. Older versions remove
/// the length of `https://` from every URL, and so lose the first slash of the path of an `http://` one.
pub(super) fn targets(target: &str) -> Vec<Cow<'_, str>> {
    let mut targets = vec![Cow::Borrowed(target)];
    let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
    if let Ok(Cow::Owned(decoded)) = percent_decode_str(path).decode_utf8() {
        targets.push(Cow::Owned(decoded + query));
    }
    targets.extend(target.strip_prefix('/').map(Cow::Borrowed));
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_may_be_signed_without_its_port_or_with_it_twice() {
        for (host, signed) in [
            (
                "localhost:8443",
                &["localhost:8443", "localhost", "localhost:8443:8443"][..],
            ),
            ("[::1]:8443", &["[::1]:8443", "[::1]", "[::1]:8443:8443"]),
            ("localhost", &["localhost", "localhost:443", "localhost:80"]),
            ("localhost:8443:8443", &["localhost:8443:8443"]),
        ] {
            assert_eq!(hosts(host), signed);
        }
    }

    #[test]
    fn a_path_may_be_signed_decoded_or_without_its_first_slash() {
        for (target, signed) in [
            ("/identities?a=%3A", &["/identities?a=%3A", "identities?a=%3A"][..]),
            (
                "/identities/8%3Aacs%3Aa_b?v=1",
                &[
                    "/identities/8%3Aacs%3Aa_b?v=1",
                    "/identities/8:acs:a_b?v=1",
                    "identities/8%3Aacs%3Aa_b?v=1",
                ],
            ),
            ("/%FF", &["/%FF", "%FF"]),
            ("*", &["*"]),
        ] {
            assert_eq!(targets(target), signed);
        }
    }
}
