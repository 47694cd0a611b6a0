//! The address of a Communication Services resource.

use crate::error::invalid_argument;
use azure_core::{Result, http::Url};
use url::{Host, ParseError};

/// Where an endpoint may do without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plaintext {
    /// On a loopback host, where an emulator listens: a signature does not reveal the key.
    Loopback,
    /// Nowhere: a bearer token would be readable, and azure_core refuses to send one.
    Never,
}

/// Reads an endpoint, `https://<resource>.communication.azure.com` with or without trailing slashes.
///
/// An error never shows what was passed: it could be a connection string.
pub(crate) fn parse_endpoint(endpoint: &str, plaintext: Plaintext) -> Result<Url> {
    let mut url = Url::parse(endpoint).map_err(|error| match error {
        ParseError::RelativeUrlWithoutBase => invalid("it does not start with https://"),
        _ => invalid("it is not a URL"),
    })?;
    match url.scheme() {
        "https" => {}
        "http" if plaintext == Plaintext::Never => {
            return Err(invalid(
                "it must use https, because an Entra token must not travel in plain text (with an access key, http \
                 to a loopback host is accepted)",
            ));
        }
        "http" if is_loopback(&url) => {}
        "http" => {
            return Err(invalid("it must use https; http is for loopback hosts only"));
        }
        _ => return Err(invalid("it does not start with https://")),
    }
    // The parser drops a user name that is empty.
    if endpoint.contains('@') {
        return Err(invalid("it holds a user name or password"));
    }
    if url.path().bytes().any(|byte| byte != b'/') {
        return Err(invalid("it has a path"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("it has a query or fragment"));
    }
    url.set_path("/");
    Ok(url)
}

/// Returns whether a request to a URL is encrypted, or does not leave the machine.
pub(super) fn is_protected(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn invalid(reason: &str) -> azure_core::Error {
    invalid_argument(format!(
        "invalid endpoint: {reason}; the resource's Keys page in the Azure portal shows it as \
         https://<resource>.communication.azure.com"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(endpoint: &str) -> String {
        parse_endpoint(endpoint, Plaintext::Loopback).unwrap().to_string()
    }

    fn refuse(endpoint: &str, plaintext: Plaintext) -> String {
        let error = parse_endpoint(endpoint, plaintext).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error:?}");
        error.to_string()
    }

    #[test]
    fn https_is_taken_with_or_without_trailing_slashes() {
        for endpoint in [
            "https://contoso.communication.azure.com",
            "https://contoso.communication.azure.com/",
            "https://contoso.communication.azure.com//",
            " https://contoso.communication.azure.com/\n",
            "HTTPS://Contoso.Communication.Azure.COM",
            "https://contoso.communication.azure.com:443/",
        ] {
            assert_eq!(parse(endpoint), "https://contoso.communication.azure.com/");
        }
        assert_eq!(parse("https://contoso:8443"), "https://contoso:8443/");
    }

    #[test]
    fn http_is_for_loopback_hosts_and_never_for_an_entra_token() {
        for endpoint in [
            "http://localhost:8080/",
            "http://127.0.0.1:8080/",
            "http://127.1.2.3/",
            "http://[::1]:8080/",
        ] {
            assert_eq!(parse(endpoint), endpoint);
            assert!(refuse(endpoint, Plaintext::Never).contains("must use https"));
        }
        for endpoint in [
            "http://contoso.communication.azure.com",
            "http://localhost.contoso.com",
            "http://127.0.0.1.contoso.com",
            "http://10.0.0.1",
            "http://[::2]",
        ] {
            assert!(
                refuse(endpoint, Plaintext::Loopback).contains("must use https"),
                "{endpoint}"
            );
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_and_never_shows_the_endpoint() {
        for (endpoint, reason) in [
            ("", "does not start with https://"),
            ("SECRET.communication.azure.com", "does not start with https://"),
            (
                "endpoint=https://contoso;accesskey=SECRET",
                "does not start with https://",
            ),
            ("https://", "not a URL"),
            ("https://a b", "not a URL"),
            ("contoso:443", "does not start with https://"),
            ("file:///SECRET", "does not start with https://"),
            ("wss://SECRET", "does not start with https://"),
            ("https://@contoso", "user name or password"),
            ("https://:@contoso", "user name or password"),
            ("https://SECRET@contoso", "user name or password"),
            ("https://a:SECRET@contoso", "user name or password"),
            ("https://contoso/SECRET", "has a path"),
            ("https://contoso/;accesskey=SECRET", "has a path"),
            ("https://contoso/?a=SECRET", "query or fragment"),
            ("https://contoso/?", "query or fragment"),
            ("https://contoso/#SECRET", "query or fragment"),
        ] {
            let error = refuse(endpoint, Plaintext::Loopback);
            assert!(error.contains(reason), "{endpoint}: {error}");
        }
    }
}
