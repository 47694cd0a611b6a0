//! The string to sign, and its variants that official SDKs sign.

use crate::auth::signature::AccessKey;
use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_STANDARD};
use http::uri::Authority;
use percent_encoding::percent_decode_str;
use std::{
    borrow::Cow,
    fmt::{self, Display, Formatter},
};

/// The forms of a signature that are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tolerance {
    /// Only the documented form: the path, query and `Host` header exactly as sent, and the date in `x-ms-date`.
    Strict,
    /// Also the older form that signs `Date`, and what official SDKs sign although they send something else: the host
    /// without its port (Java) or with the port twice (JavaScript), the path percent-decoded or, over http, without its
    /// first slash (Python).
    #[default]
    OfficialClients,
}

/// The parts of the text that a signature covers. `Display` is the text itself.
#[derive(Clone, Copy)]
pub(super) struct StringToSign<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) date: &'a str,
    pub(super) host: &'a str,
    pub(super) hash: &'a str,
}

impl StringToSign<'_> {
    /// Returns whether `signature` is that of this text, or of a form of it that the tolerance allows.
    pub(super) fn is_signed(&self, key: &AccessKey, signature: &[u8], tolerance: Tolerance) -> bool {
        let is_signed = |text: &StringToSign<'_>| key.has_signed(&text.to_string(), signature);
        let is_signed_by_official_client = || {
            let hosts = hosts_signed_for(self.host);
            let targets = targets_signed_for(self.target);
            targets.iter().any(|target| {
                hosts
                    .iter()
                    .any(|host| is_signed(&StringToSign { target, host, ..*self }))
            })
        };
        is_signed(self) || (tolerance == Tolerance::OfficialClients && is_signed_by_official_client())
    }
}

impl Display for StringToSign<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            target,
            date,
            host,
            hash,
        } = self;
        write!(f, "{method}\n{target}\n{date};{host};{hash}")
    }
}

/// The hash of a body as `x-ms-content-sha256` has it.
pub(super) fn content_hash(body: &[u8]) -> String {
    BASE64_STANDARD.encode(digest::digest(&digest::SHA256, body))
}

/// The hosts that an official SDK may have signed when it sends this `Host` header, beginning with the header itself.
///
/// Java signs the name without the port. JavaScript appends the port to a host that already has it; Node.js also sends
/// the result as the `Host` header, a browser does not. Python signs a default port that is written in the endpoint,
/// but does not send it in the `Host` header.
fn hosts_signed_for(host: &str) -> Vec<Cow<'_, str>> {
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
/// Python's asynchronous client signs the percent-decoded path, but its transport may send it encoded. Older versions
/// remove the length of `https://` from every URL, and so lose the first slash of the path of an `http://` one.
fn targets_signed_for(target: &str) -> Vec<Cow<'_, str>> {
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
    fn host_may_lack_or_repeat_its_port() {
        for (host, signed) in [
            (
                "localhost:8443",
                &["localhost:8443", "localhost", "localhost:8443:8443"][..],
            ),
            ("[::1]:8443", &["[::1]:8443", "[::1]", "[::1]:8443:8443"]),
            ("localhost", &["localhost", "localhost:443", "localhost:80"]),
            ("localhost:8443:8443", &["localhost:8443:8443"]),
        ] {
            assert_eq!(hosts_signed_for(host), signed);
        }
    }

    #[test]
    fn path_may_be_decoded_or_lack_its_slash() {
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
            assert_eq!(targets_signed_for(target), signed);
        }
    }
}
