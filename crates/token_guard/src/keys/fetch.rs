//! Requests for the discovery document and the keys.

use super::{
    address,
    fetch_error::{FetchError, FetchErrorKind},
    key_set::KeySet,
    lifetime::{self, Bounds},
};
use crate::{algorithm::Algorithm, error::ConfigurationError};
use client_core::{host::is_loopback, json};
use http::{HeaderMap, StatusCode};
use reqwest::{Client, redirect::Policy};
use serde::Deserialize;
use std::{error::Error, iter::successors, time::Duration};
use url::Url;

/// How much of an answer is read, in bytes: Entra ID's key sets are a quarter as long.
pub(super) const LONGEST_BODY: usize = 64 * 1024;

/// Where the keys of an issuer are found.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// At the `jwks_uri` of a discovery document, which has to be that of this issuer.
    Discovery { document: Url, issuer: String },
    /// At an address that is known.
    Keys(Url),
}

impl Source {
    /// The address that is asked first.
    pub(super) fn url(&self) -> &Url {
        match self {
            Self::Discovery { document, .. } => document,
            Self::Keys(url) => url,
        }
    }
}

/// How keys are fetched.
#[derive(Debug)]
pub(crate) struct Fetcher {
    pub(crate) source: Source,
    pub(crate) client: Client,
    /// The longest that a request takes.
    pub(crate) timeout: Duration,
    pub(crate) bounds: Bounds,
    pub(crate) algorithms: Vec<Algorithm>,
}

/// Builds a client that follows no redirect. It uses the proxies of the environment, except for an issuer on loopback. It
/// keeps no connection for the next fetch: the runtime that the connection belongs to may not run then.
pub(crate) fn client(source: &Source) -> Result<Client, ConfigurationError> {
    let mut builder = Client::builder().redirect(Policy::none()).pool_max_idle_per_host(0);
    if is_loopback(source.url()) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| {
        let reasons: Vec<_> = successors(error.source(), |&cause| cause.source())
            .map(ToString::to_string)
            .collect();
        let reasons = reasons.join(": ");
        let fault = format!(
            "cannot be created ({reasons}): install the CA certificates of the system, such as Debian's ca-certificates, or \
             set http_client"
        );
        ConfigurationError::new(fault).of("the HTTP client")
    })
}

/// What a fetch brings.
pub(super) struct Found {
    pub(super) keys: KeySet,
    pub(super) lifetime: Duration,
    /// Where the keys are.
    pub(super) url: Url,
}

impl Fetcher {
    /// Fetches the keys, from where they are known to be, or else from where the issuer says that they are.
    pub(super) async fn fetch(&self, known: Option<Url>) -> Result<Found, FetchError> {
        let url = match known {
            Some(url) => url,
            None => self.discover().await?,
        };
        let (body, headers) = self.get(&url).await?;
        let keys = KeySet::parse(&body, &self.algorithms).ok_or_else(|| FetchErrorKind::NoKeys.at(&url))?;
        let lifetime = lifetime::of(&headers, self.bounds);
        Ok(Found { keys, lifetime, url })
    }

    /// Finds out where the keys are.
    async fn discover(&self) -> Result<Url, FetchError> {
        let (url, expected) = match &self.source {
            Source::Keys(url) => return Ok(url.clone()),
            Source::Discovery { document, issuer } => (document, issuer),
        };
        let (body, _) = self.get(url).await?;
        jwks_uri(&body, url, expected).map_err(|kind| kind.at(url))
    }

    async fn get(&self, url: &Url) -> Result<(Vec<u8>, HeaderMap), FetchError> {
        let failed = |error: reqwest::Error| FetchErrorKind::Http(error.without_url()).at(url);
        let request = self.client.get(url.clone()).timeout(self.timeout);
        let mut response = request
            .header(http::header::ACCEPT, "application/json")
            .send()
            .await
            .map_err(failed)?;
        if response.url() != url {
            return Err(FetchErrorKind::Redirected.at(url));
        }
        if response.status() != StatusCode::OK {
            return Err(FetchErrorKind::Status(response.status()).at(url));
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > LONGEST_BODY {
                return Err(FetchErrorKind::TooLong.at(url));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((body, response.headers().clone()))
    }
}

/// Reads the address of the keys out of the discovery document at `url`, which has to be that of the issuer.
fn jwks_uri(body: &[u8], url: &Url, issuer: &str) -> Result<Url, FetchErrorKind> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
        jwks_uri: String,
    }

    let document: Document = json::object(body).ok_or(FetchErrorKind::NotDiscovery)?;
    if document.issuer != issuer {
        return Err(FetchErrorKind::Issuer);
    }
    address::of_keys(&document.jwks_uri, url).ok_or(FetchErrorKind::KeysAddress)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    const ISSUER: &str = "https://contoso.com";
    const KEYS: &str = "https://contoso.com/keys";

    proptest! {
        #[test]
        fn a_document_is_believed_with_both_of_its_members_and_whatever_others(
            others in prop::collection::btree_map("[a-z_]{1,12}", "\\PC{0,12}|https://[a-z]{1,8}/", 0..8),
            issuer in prop_oneof![Just(json!(ISSUER)), Just(json!([ISSUER])), "\\PC{0,12}".prop_map(Value::from)],
            keys in prop_oneof![Just(json!(KEYS)), Just(json!(null)), "http://[a-z]{1,8}/".prop_map(Value::from)],
        ) {
            let mut document = json!(others);
            document["issuer"] = issuer.clone();
            document["jwks_uri"] = keys.clone();
            let url = Url::parse("https://contoso.com/.well-known/openid-configuration").unwrap();
            let found = jwks_uri(document.to_string().as_bytes(), &url, ISSUER).ok();
            let expected = (issuer == ISSUER && keys == KEYS).then(|| Url::parse(KEYS).unwrap());
            prop_assert_eq!(found, expected);
        }
    }
}
