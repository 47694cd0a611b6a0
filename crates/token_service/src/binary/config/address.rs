//! Addresses of other servers.

use url::{Host, Url};

/// Reads an address that tokens or keys are sent to, or come from: https, or http to this machine; no user, query or
/// fragment.
pub(super) fn secure_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "has to be a URL that begins with https://")?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err("has to begin with https://; http:// is for loopback hosts only"),
        _ => return Err("has to begin with https://"),
    }
    if text.contains('@') || url.query().is_some() || url.fragment().is_some() {
        return Err("must have neither a user nor a query nor a fragment");
    }
    Ok(url)
}

/// Returns whether a URL's host is this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(domain)) => domain == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
