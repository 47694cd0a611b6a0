//! Requests for the keys of an issuer: the addresses that are allowed, the discovery document, the key set.

use crate::{
    algorithm::Algorithm,
    bounded::{bounded, bounded_list},
    error::ConfigurationError,
    keys::key_set::KeySet,
};
use client_core::{error::chain, host::is_loopback, json};
use http::{HeaderMap, StatusCode, header::ACCEPT};
use reqwest::{Client, redirect::Policy};
use serde::Deserialize;
use serde_json::Value;
use std::{error::Error, fmt, net::Ipv4Addr, time::Duration};
use url::{Host, Url};

/// The longest body that is read, in bytes. The key sets of Entra ID have a quarter of this.
const MAX_BODY_LEN: usize = 64 * 1024;

/// The hosts that may be asked over plain http.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum PlainHttp {
    #[default]
    Loopback,
    Anywhere,
}

/// The place of an issuer's keys.
#[derive(Clone, Debug)]
pub(crate) enum KeySource {
    /// The `jwks_uri` of a discovery document, which must name one of these issuers.
    Discovery {
        document: Url,
        issuers: Vec<String>,
        plain_http: PlainHttp,
    },
    /// A known address.
    Url(Url),
}

impl KeySource {
    /// Finds the keys by discovery. The address of the document begins with `base`.
    pub(crate) fn discovery(
        base: &str,
        issuers: Vec<String>,
        plain_http: PlainHttp,
    ) -> Result<Self, ConfigurationError> {
        if base.trim() != base {
            return Err(ConfigurationError::new("has white space around it"));
        }
        if parse_url(base, plain_http)?.query().is_some() {
            return Err(ConfigurationError::new("must have no query"));
        }
        let document = format!("{}/.well-known/openid-configuration", base.trim_end_matches('/'));
        Self::metadata(&document, issuers, plain_http)
    }

    /// Finds the keys by a discovery document at a known address.
    pub(crate) fn metadata(url: &str, issuers: Vec<String>, plain_http: PlainHttp) -> Result<Self, ConfigurationError> {
        Ok(Self::Discovery {
            document: parse_url(url, plain_http)?,
            issuers,
            plain_http,
        })
    }

    /// Finds the keys at a known address.
    pub(crate) fn keys(url: &str, plain_http: PlainHttp) -> Result<Self, ConfigurationError> {
        parse_url(url, plain_http).map(Self::Url)
    }

    /// Returns the address of the first request.
    fn url(&self) -> &Url {
        match self {
            Self::Discovery { document, .. } => document,
            Self::Url(url) => url,
        }
    }

    /// Describes a failure that has no other address.
    pub(super) fn error(&self, kind: FetchErrorKind) -> FetchError {
        kind.at(self.url())
    }

    /// Builds a client that follows no redirect. It uses the proxies of the environment, except for an issuer on loopback.
    /// It keeps no idle connection: the runtime that drives a connection may have stopped before the next fetch.
    pub(crate) fn http_client(&self) -> Result<Client, ConfigurationError> {
        let mut builder = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0);
        if is_loopback(self.url()) {
            builder = builder.no_proxy();
        }
        builder.build().map_err(|error| {
            let causes: Vec<_> = chain(&error).skip(1).map(ToString::to_string).collect();
            let reason = format!(
                "cannot be created ({}): install the CA certificates of the system, such as Debian's ca-certificates, or \
                 set http_client",
                causes.join(": ")
            );
            ConfigurationError::new(reason).of("the HTTP client")
        })
    }
}

/// Parses an address that the guard may ask: https, or http on an allowed host, without user and fragment.
fn parse_url(address: &str, plain_http: PlainHttp) -> Result<Url, ConfigurationError> {
    let url = Url::parse(address).map_err(|_| ConfigurationError::new("is not a URL"))?;
    let allowed = match url.scheme() {
        "https" => true,
        "http" => plain_http == PlainHttp::Anywhere || is_loopback(&url),
        _ => false,
    };
    if !allowed {
        return Err(ConfigurationError::new(
            "must begin with https://, or be http on a loopback host; see allow_forgeable_keys_over_http for another host",
        ));
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(ConfigurationError::new("must have neither a user nor a fragment"));
    }
    Ok(url)
}

/// Parses the `jwks_uri` of a discovery document. A document from another machine must not direct requests to this one, and
/// a document that came over https must not direct them to plain http.
fn parse_jwks_uri(jwks_uri: &str, document: &Url, plain_http: PlainHttp) -> Option<Url> {
    let plain_http = if document.scheme() == "https" {
        PlainHttp::Loopback
    } else {
        plain_http
    };
    let url = parse_url(jwks_uri, plain_http).ok()?;
    (is_loopback(document) || !may_be_this_machine(&url)).then_some(url)
}

/// Returns whether a URL may reach this machine, by any of the names and addresses that systems have for it.
fn may_be_this_machine(url: &Url) -> bool {
    let is_local = |address: Ipv4Addr| address.is_loopback() || address.octets().starts_with(&[0]);
    match url.host() {
        Some(Host::Domain(domain)) => {
            let domain = domain.trim_end_matches('.').to_ascii_lowercase();
            domain == "localhost" || domain.ends_with(".localhost")
        }
        Some(Host::Ipv4(address)) => is_local(address),
        Some(Host::Ipv6(address)) => {
            address.is_loopback() || address.is_unspecified() || address.to_ipv4_mapped().is_some_and(is_local)
        }
        None => true,
    }
}

/// Fetches the keys of an issuer.
#[derive(Debug)]
pub(crate) struct Fetcher {
    pub(crate) source: KeySource,
    pub(crate) client: Client,
    /// The timeout of a request.
    pub(crate) timeout: Duration,
    pub(crate) algorithms: Vec<Algorithm>,
}

/// The keys of an issuer, with the address and the headers of the response.
pub(super) struct FetchedKeys {
    pub(super) keys: KeySet,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

impl Fetcher {
    /// Fetches the keys from their known address, or from the address in the discovery document.
    pub(super) async fn fetch(&self, known: Option<Url>) -> Result<FetchedKeys, FetchError> {
        let url = match (known, &self.source) {
            (Some(url), _) => url,
            (None, KeySource::Url(url)) => url.clone(),
            (
                None,
                KeySource::Discovery {
                    document,
                    issuers,
                    plain_http,
                },
            ) => {
                let (body, _) = self.get(document).await?;
                jwks_uri(&body, document, issuers, *plain_http).map_err(|kind| kind.at(document))?
            }
        };
        let (body, headers) = self.get(&url).await?;
        let keys = KeySet::parse(&body, &self.algorithms).ok_or_else(|| FetchErrorKind::NoKeys.at(&url))?;
        Ok(FetchedKeys { keys, url, headers })
    }

    async fn get(&self, url: &Url) -> Result<(Vec<u8>, HeaderMap), FetchError> {
        let failed = |error: reqwest::Error| FetchErrorKind::Http(error.without_url()).at(url);
        let request = self.client.get(url.clone()).timeout(self.timeout);
        let request = request.header(ACCEPT, "application/json");
        let mut response = request.send().await.map_err(failed)?;
        if response.url() != url {
            return Err(FetchErrorKind::Redirected.at(url));
        }
        if response.status() != StatusCode::OK {
            return Err(FetchErrorKind::Status(response.status()).at(url));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MAX_BODY_LEN {
                return Err(FetchErrorKind::TooLong.at(url));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((body, response.headers().clone()))
    }
}

/// Reads the address of the keys from the discovery document at `url`, which must name one of these issuers.
///
/// AD FS has two issuers. That of its access tokens is the document's
/// [`access_token_issuer`](https://learn.microsoft.com/openspecs/windows_protocols/ms-oidce/586de7dd-3385-47c7-93a2-935d9e90441c).
fn jwks_uri(body: &[u8], url: &Url, issuers: &[String], plain_http: PlainHttp) -> Result<Url, FetchErrorKind> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        #[serde(default)]
        access_token_issuer: Value,
        jwks_uri: String,
    }

    let document: Document = json::object(body).ok_or(FetchErrorKind::NotDiscovery)?;
    let named = [Some(document.issuer.as_str()), document.access_token_issuer.as_str()];
    if !named
        .into_iter()
        .flatten()
        .any(|name| issuers.iter().any(|issuer| issuer == name))
    {
        return Err(FetchErrorKind::Issuer {
            expected: bounded_list(issuers.iter().map(String::as_str)),
            found: bounded(&document.issuer),
        });
    }
    parse_jwks_uri(&document.jwks_uri, url, plain_http).ok_or(FetchErrorKind::KeysAddress)
}

/// A failed request for the discovery document or the keys.
#[derive(Debug)]
pub(crate) struct FetchError {
    /// The URL without its query, which can hold a secret.
    url: String,
    kind: FetchErrorKind,
}

#[derive(Debug)]
pub(super) enum FetchErrorKind {
    /// There was no complete response in time.
    Http(reqwest::Error),
    /// The status is not 200.
    Status(StatusCode),
    /// The client followed a redirect.
    Redirected,
    /// The body is longer than [`MAX_BODY_LEN`].
    TooLong,
    /// The body is not a discovery document.
    NotDiscovery,
    /// The document names another issuer.
    Issuer { expected: String, found: String },
    /// The document names an address that the guard must not ask.
    KeysAddress,
    /// The body has no key that can verify a token.
    NoKeys,
    /// There is no tokio runtime, or it ended during the request.
    NoRuntime,
    /// The tokio runtime of the request does not run.
    Stalled,
}

impl FetchErrorKind {
    fn at(self, url: &Url) -> FetchError {
        FetchError {
            url: format!("{}{}", url.origin().ascii_serialization(), url.path()),
            kind: self,
        }
    }
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.url)?;
        match &self.kind {
            FetchErrorKind::Http(error) if error.is_timeout() => f.write_str("did not answer in time"),
            FetchErrorKind::Http(error) if error.is_connect() => f.write_str("cannot be connected to"),
            FetchErrorKind::Http(_) => f.write_str("sent no complete response"),
            FetchErrorKind::Status(status) => write!(f, "answered {status}"),
            FetchErrorKind::Redirected => f.write_str("redirected, which is not followed"),
            FetchErrorKind::TooLong => write!(f, "answered more than {MAX_BODY_LEN} bytes"),
            FetchErrorKind::NotDiscovery => f.write_str("did not return a discovery document"),
            FetchErrorKind::Issuer { expected, found } => {
                write!(f, "names another issuer: expected {expected}, got {found}")
            }
            FetchErrorKind::KeysAddress => {
                f.write_str("names a jwks_uri that the guard must not ask: set keys_at to the address of the keys")
            }
            FetchErrorKind::NoKeys => f.write_str("has no keys that signatures can be checked with"),
            FetchErrorKind::NoRuntime => f.write_str("was not asked: call the guard within a tokio runtime that runs"),
            FetchErrorKind::Stalled => f.write_str("did not respond: the tokio runtime of the request is blocked"),
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            FetchErrorKind::Http(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ISSUER: &str = "https://contoso.com";
    const KEYS: &str = "https://contoso.com/keys";

    #[test]
    fn only_loopback_issuer_has_keys_on_loopback() {
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
            let outcomes = [outside, inside].map(|document| {
                let document = Url::parse(document).unwrap();
                parse_jwks_uri(keys, &document, PlainHttp::Loopback).is_some()
            });
            assert_eq!(outcomes, accepted, "{keys}");
        }
    }

    #[test]
    fn plain_http_beyond_loopback_is_an_option() {
        let document = |url| Url::parse(url).unwrap();
        let inside = document("http://keycloak:8080/.well-known/openid-configuration");
        let outside = document("https://contoso.com/.well-known/openid-configuration");
        for (keys, accepted) in [
            ("http://keycloak:8080/keys", [false, true, false]),
            ("http://10.0.0.1/keys", [false, true, false]),
            ("https://keycloak/keys", [true, true, true]),
            ("http://127.0.0.1/keys", [false, false, false]),
            ("http://user@keycloak/keys", [false, false, false]),
            ("file:///keys", [false, false, false]),
        ] {
            let outcomes = [
                parse_jwks_uri(keys, &inside, PlainHttp::Loopback),
                parse_jwks_uri(keys, &inside, PlainHttp::Anywhere),
                // No downgrade.
                parse_jwks_uri(keys, &outside, PlainHttp::Anywhere),
            ];
            assert_eq!(outcomes.map(|url| url.is_some()), accepted, "{keys}");
        }
        assert!(parse_url("http://keycloak:8080/realms/contoso", PlainHttp::Anywhere).is_ok());
        assert!(parse_url("http://user@keycloak:8080/", PlainHttp::Anywhere).is_err());
        assert!(parse_url("ftp://keycloak/", PlainHttp::Anywhere).is_err());
    }

    #[test]
    fn https_required_except_on_loopback() {
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
            assert_eq!(parse_url(address, PlainHttp::Loopback).is_ok(), accepted, "{address}");
        }
    }

    proptest! {
        #[test]
        fn document_needs_its_issuer_and_secure_keys(
            others in prop::collection::btree_map("[a-z_]{1,12}", "\\PC{0,12}|https://[a-z]{1,8}/", 0..8),
            issuer in prop_oneof![Just(json!(ISSUER)), Just(json!([ISSUER])), "\\PC{0,12}".prop_map(Value::from)],
            keys in prop_oneof![Just(json!(KEYS)), Just(json!(null)), "http://[a-z]{1,8}/".prop_map(Value::from)],
        ) {
            let mut document = json!(others);
            document["issuer"] = issuer.clone();
            document["jwks_uri"] = keys.clone();
            let url = Url::parse("https://contoso.com/.well-known/openid-configuration").unwrap();
            let found = jwks_uri(document.to_string().as_bytes(), &url, &[ISSUER.to_owned()], PlainHttp::Loopback).ok();
            let expected = (issuer == ISSUER && keys == KEYS).then(|| Url::parse(KEYS).unwrap());
            prop_assert_eq!(found, expected);
        }
    }
}
