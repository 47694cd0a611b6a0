//! Where keys may be fetched from.

use crate::error::ConfigurationError;
use client_core::host::is_loopback;
use std::net::Ipv4Addr;
use url::{Host, Url};

/// Parses the address of an issuer or of its keys: https, or http to a loopback host; no user, no fragment.
pub(crate) fn parse(address: &str) -> Result<Url, ConfigurationError> {
    let url = Url::parse(address).map_err(|_| ConfigurationError::new("is not a URL"))?;
    let secure = match url.scheme() {
        "https" => true,
        "http" => is_loopback(&url),
        _ => false,
    };
    if !secure {
        return Err(ConfigurationError::new(
            "must begin with https://, or be http on a loopback host",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(ConfigurationError::new("must have neither a user nor a fragment"));
    }
    Ok(url)
}

/// Parses the `jwks_uri` of a discovery document. One from outside this machine is not to direct requests into it.
pub(crate) fn of_keys(jwks_uri: &str, document: &Url) -> Option<Url> {
    let keys = parse(jwks_uri).ok()?;
    (is_loopback(document) || !leads_inside(&keys)).then_some(keys)
}

/// Whether this may be another name of the machine itself, such as systems have several.
fn leads_inside(url: &Url) -> bool {
    let inside = |address: Ipv4Addr| address.is_loopback() || address.octets().starts_with(&[0]);
    match url.host() {
        Some(Host::Domain(domain)) => {
            let domain = domain.trim_end_matches('.').to_ascii_lowercase();
            domain == "localhost" || domain.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => inside(address),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.is_unspecified() || address.to_ipv4_mapped().is_some_and(inside)
        }
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_issuer_on_loopback_has_its_keys_there() {
        let outside = "https://contoso.com/.well-known/openid-configuration";
        let inside = "http://127.0.0.1:3001/.well-known/openid-configuration";
        for (keys, accepted) in [
            ("https://contoso.com/keys", [true, true]),
            ("https://keys.fabrikam.com/", [true, true]),
            ("http://contoso.com/keys", [false, false]),
            ("http://127.0.0.1/keys", [false, true]),
            ("https://127.0.0.1/keys", [false, true]),
            ("https://127.9.9.9/keys", [false, true]),
            ("https://2130706433/keys", [false, true]),
            ("https://localhost/keys", [false, true]),
            ("https://[::1]/keys", [false, true]),
            ("https://localhost./keys", [false, true]),
            ("https://keys.localhost/keys", [false, true]),
            ("https://keys.LOCALHOST./keys", [false, true]),
            ("https://0.0.0.0/keys", [false, true]),
            ("https://0.1.2.3/keys", [false, true]),
            ("https://[::]/keys", [false, true]),
            ("https://[::ffff:127.0.0.1]/keys", [false, true]),
            ("https://[::ffff:0.0.0.0]/keys", [false, true]),
            ("https://[::ffff:10.0.0.1]/keys", [true, true]),
            ("https://localhost.contoso.com/keys", [true, true]),
            ("https://mylocalhost/keys", [true, true]),
            ("keys", [false, false]),
        ] {
            let outcomes = [outside, inside].map(|document| of_keys(keys, &Url::parse(document).unwrap()).is_some());
            assert_eq!(outcomes, accepted, "{keys}");
        }
    }

    #[test]
    fn https_is_needed_except_on_loopback() {
        for (address, accepted) in [
            ("https://contoso.logto.app/oidc", true),
            ("https://10.0.0.1:8443/", true),
            ("http://localhost:3001/oidc", true),
            ("http://LOCALHOST/", true),
            ("http://127.0.0.1/", true),
            ("http://127.1.2.3/", true),
            ("http://[::1]:80/", true),
            ("http://contoso.logto.app/oidc", false),
            ("http://10.0.0.1/", false),
            ("http://0.0.0.0/", false),
            ("http://localhost.contoso.com/", false),
            ("http://127.0.0.1.contoso.com/", false),
            ("http://127.0.0.1@contoso.com/", false),
            ("https://user@contoso.com/", false),
            ("https://:pass@contoso.com/", false),
            ("https://contoso.com/#keys", false),
            ("file:///etc/keys.json", false),
            ("ftp://localhost/", false),
            ("contoso.com", false),
            ("", false),
        ] {
            assert_eq!(parse(address).is_ok(), accepted, "{address}");
        }
    }
}
