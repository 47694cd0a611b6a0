//! The base URL of the sidecar.

use crate::error::invalid_argument;
use azure_core::{Error, Result, http::Url};
use client_core::host::is_loopback;
use std::{
    env::{VarError, var},
    net::Ipv6Addr,
};
use url::{Host, ParseError};

/// The environment variable with the base URL.
const VARIABLE: &str = "SIDECAR_URL";

/// The base URL without the variable: that of Microsoft's samples for the sidecar.
const DEFAULT: &str = "http://localhost:5000";

/// Parses the base URL of a sidecar, such as `http://localhost:5000`. It may have a path, as behind an ingress.
///
/// A sidecar returns tokens to every caller that reaches it, and receives the tokens of users. Its host must therefore be
/// loopback or a private address, unless `allow_any_host` is set.
///
/// # Errors
///
/// The text is not such a URL. The error does not show it, because it could hold a password.
pub(crate) fn parse_base_url(base_url: &str, allow_any_host: bool) -> Result<Url> {
    parse(base_url, allow_any_host).map_err(|fault| invalid("base URL of the sidecar", fault))
}

/// Reads the base URL from the environment. A blank variable is treated as absent, as Microsoft's client for Python does.
///
/// # Errors
///
/// The variable is not such a URL. The error does not show it.
pub(crate) fn base_url_of_environment(allow_any_host: bool) -> Result<Url> {
    base_url_of_variable(var(VARIABLE), allow_any_host)
}

fn base_url_of_variable(value: std::result::Result<String, VarError>, allow_any_host: bool) -> Result<Url> {
    let base_url = match value {
        Ok(value) if !value.trim().is_empty() => value,
        Ok(_) | Err(VarError::NotPresent) => DEFAULT.to_owned(),
        Err(VarError::NotUnicode(_)) => return Err(invalid(VARIABLE, "it is not Unicode")),
    };
    parse(&base_url, allow_any_host).map_err(|fault| invalid(VARIABLE, fault))
}

/// Parses a base URL, or returns the fault of the text.
fn parse(base_url: &str, allow_any_host: bool) -> std::result::Result<Url, &'static str> {
    let mut url = Url::parse(base_url).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => "it does not start with http:// or https://",
        _ => "it is not a URL",
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it does not start with http:// or https://");
    }
    // The parser drops a user name that is empty.
    if base_url.contains('@') {
        return Err("it holds a user name or password, which the sidecar has no use for");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it has a query or fragment");
    }
    if !allow_any_host && !is_near(&url) {
        return Err(
            "its host is neither loopback nor a private address, and would get the tokens of callers; if it is the \
             sidecar's all the same, such as the name of a container, set allow_any_host in SidecarClientOptions",
        );
    }
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// The metadata services of AWS and of Google Cloud, whose addresses are private ones. They return credentials, and must not
/// receive the tokens of callers.
const METADATA_SERVICES: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// Returns whether a host is this machine or a private address. Link-local addresses are not near, because clouds keep their
/// metadata services there.
pub(crate) fn is_near(url: &Url) -> bool {
    if is_loopback(url) {
        return true;
    }
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_private(),
        Some(Host::Ipv6(address)) => match address.to_ipv4_mapped() {
            Some(address) => address.is_loopback() || address.is_private(),
            None => address.is_unique_local() && !METADATA_SERVICES.contains(&address),
        },
        Some(Host::Domain(_)) | None => false,
    }
}

fn invalid(what: &str, fault: &str) -> Error {
    invalid_argument(format!("invalid {what}: {fault}; it looks like {DEFAULT}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    fn refuse(base_url: &str, allow_any_host: bool) -> String {
        let error = parse_base_url(base_url, allow_any_host).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        error.to_string()
    }

    #[test]
    fn loopback_and_private_hosts_are_accepted() {
        for (base_url, expected) in [
            ("http://localhost:5000", "http://localhost:5000/"),
            ("http://LOCALHOST:5000/", "http://localhost:5000/"),
            ("http://2130706433:5000", "http://127.0.0.1:5000/"),
            ("http://0x7f.1", "http://127.0.0.1/"),
            ("http://127.0.0.1:5178//", "http://127.0.0.1:5178/"),
            ("http://[::1]:5000", "http://[::1]:5000/"),
            ("https://10.1.2.3/", "https://10.1.2.3/"),
            ("http://172.31.0.1", "http://172.31.0.1/"),
            ("http://192.168.0.7:5000", "http://192.168.0.7:5000/"),
            ("http://[fd00::7]/", "http://[fd00::7]/"),
            ("http://[::ffff:10.0.0.1]/", "http://[::ffff:a00:1]/"),
            ("http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/"),
            ("http://localhost/agent/sidecar/", "http://localhost/agent/sidecar"),
        ] {
            assert_eq!(parse_base_url(base_url, false).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn other_hosts_need_allow_any_host() {
        for base_url in [
            "https://sidecar.contoso.com",
            "http://sidecar:5000",
            "http://localhost.contoso.com",
            "http://127.0.0.1.nip.io",
            "http://8.8.8.8",
            "http://172.32.0.1",
            "http://169.254.169.254",
            "http://0.0.0.0",
            "http://[2001:db8::1]",
            "http://[fe80::1]",
            "http://[::ffff:8.8.8.8]",
            "http://2130706433.example",
            // 8.8.8.8 and 169.254.169.254 as numbers.
            "http://134744072",
            "http://2852039166",
            "http://0xa9.0xfe.0xa9.0xfe",
            "http://sidecar.localhost",
            "http://[fd00:ec2::254]",
            "http://[fd20:ce::254]",
        ] {
            assert!(refuse(base_url, false).contains("allow_any_host"), "{base_url}");
            assert!(parse_base_url(base_url, true).is_ok(), "{base_url}");
        }
    }

    #[test]
    fn malformed_base_urls_are_always_refused() {
        for (base_url, reason) in [
            ("", "does not start with http://"),
            ("SECRET", "does not start with http://"),
            ("localhost:5000", "does not start with http://"),
            ("unix:///SECRET", "does not start with http://"),
            ("http://", "not a URL"),
            ("http://localhost:99999", "not a URL"),
            ("http://@localhost", "user name or password"),
            ("http://SECRET@localhost", "user name or password"),
            ("http://user:SECRET@localhost:5000", "user name or password"),
            ("http://localhost?SECRET", "query or fragment"),
            ("http://localhost/#SECRET", "query or fragment"),
        ] {
            for allow_any_host in [false, true] {
                assert!(refuse(base_url, allow_any_host).contains(reason), "{base_url}");
            }
        }
    }

    #[test]
    fn variable_is_read_or_replaced_by_the_default() {
        for (value, expected) in [
            (Err(VarError::NotPresent), "http://localhost:5000/"),
            (Ok(String::new()), "http://localhost:5000/"),
            (Ok(" \t".to_owned()), "http://localhost:5000/"),
            (Ok("http://127.0.0.1:5178".to_owned()), "http://127.0.0.1:5178/"),
        ] {
            assert_eq!(base_url_of_variable(value, false).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn errors_of_the_variable_have_its_name_only() {
        for value in [
            Ok("SECRET".to_owned()),
            Ok("http://SECRET@localhost".to_owned()),
            Ok("https://SECRET.contoso.com".to_owned()),
            Err(VarError::NotUnicode("SECRET".into())),
        ] {
            let error = base_url_of_variable(value, false).unwrap_err();
            let text = error.to_string();
            assert!(text.starts_with("invalid SIDECAR_URL: "), "{text}");
            assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        }
    }

    /// Returns whether an address is loopback or private: RFC 1122 and RFC 1918.
    fn is_expected(octets: [u8; 4]) -> bool {
        matches!(octets, [127 | 10, ..] | [172, 16..=31, ..] | [192, 168, ..])
    }

    proptest! {
        #[test]
        fn addresses_are_accepted_if_near(octets in any::<[u8; 4]>(), near in any::<bool>(), port in any::<u16>()) {
            let octets = if near { [10, octets[1], octets[2], octets[3]] } else { octets };
            let number = u32::from_be_bytes(octets);
            let mapped = Ipv4Addr::from(octets).to_ipv6_mapped();
            for host in [Ipv4Addr::from(octets).to_string(), number.to_string(), format!("[{mapped}]")] {
                let taken = parse_base_url(&format!("http://{host}:{port}"), false).is_ok();
                prop_assert_eq!(taken, is_expected(octets), "{}", host);
            }
        }

        #[test]
        fn no_text_causes_a_panic_or_is_shown(
            scheme in prop::sample::select(vec!["", "http://", "https://", "http://localhost/", "http://127.0.0.1:"]),
            text in ".*",
        ) {
            for text in [format!("{scheme}{text}"), format!("{scheme}SECRET{text}"), format!("{scheme}{text}SECRET")] {
                match parse_base_url(&text, false) {
                    Ok(url) => {
                        let host = url.host_str().unwrap();
                        let address = host.parse::<Ipv4Addr>().map(|address| is_expected(address.octets()));
                        let is_v6 = host.starts_with("[::1]") || host.starts_with("[f") || host.starts_with("[::ffff:");
                        prop_assert!(host == "localhost" || address.unwrap_or(is_v6), "{}", host);
                    }
                    Err(error) => {
                    let shown = format!("{error} {error:?}");
                    prop_assert!(!shown.contains("SECRET"), "{}", shown);
                }
                }
            }
        }
    }
}
