//! The api-versions: those of each group of operations, those that are withdrawn, and the check of a request's.

use crate::http::{Endpoint, Refusal, ServiceError, header_text, request::sent_uri};
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::{
    StatusCode, Uri,
    header::{HOST, HeaderName, HeaderValue},
};
use percent_encoding::percent_decode_str;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    sync::atomic::{AtomicU32, Ordering},
};

const API_SUPPORTED_VERSIONS: HeaderName = HeaderName::from_static("api-supported-versions");

/// All api-versions of the emulator, oldest first. Their names sort by date.
pub(crate) const API_VERSIONS: [&str; 7] = [
    "2021-03-07",
    "2022-06-01",
    "2022-10-01",
    "2023-10-01",
    PREVIEW,
    "2025-06-30",
    "2026-09-23",
];

/// The most characters of several requested versions that a response shows.
const MAX_SHOWN: usize = 200;

/// The version of the operations on users of Entra ID, and of no others: all others are in stable versions, and no client
/// uses this one for them any more.
const PREVIEW: &str = "2025-03-02-preview";

/// The versions of a group of operations.
#[derive(Clone, Copy)]
pub(super) struct ApiVersions(fn(&str) -> bool);

pub(super) const IDENTITIES: ApiVersions = ApiVersions(|version| version != PREVIEW);
/// The exchange of Teams users' tokens came with the second version.
pub(super) const TEAMS_USER: ApiVersions = ApiVersions(|version| version != PREVIEW && version >= "2022-06-01");
pub(super) const TEAMS_EXTENSION: ApiVersions = ApiVersions(|version| version >= "2025-06-30");
pub(super) const ENTRA: ApiVersions = ApiVersions(|version| version == PREVIEW);

impl ApiVersions {
    /// The versions that are not withdrawn, oldest first.
    fn supported(self, withdrawn: &WithdrawnVersions) -> impl Iterator<Item = &'static str> {
        let Self(includes) = self;
        let versions = API_VERSIONS.into_iter().filter(move |version| includes(version));
        versions.filter(|version| !withdrawn.contain(version))
    }

    /// The header that lists them; `None` if all are withdrawn.
    fn header(self, withdrawn: &WithdrawnVersions) -> Option<HeaderValue> {
        let supported: Vec<_> = self.supported(withdrawn).collect();
        let listed = (!supported.is_empty()).then(|| supported.join(", "))?;
        HeaderValue::try_from(listed).ok()
    }
}

/// The error for an unknown api-version. `Display` lists the known ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnknownVersion(String);

impl Display for UnknownVersion {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self(name) = self;
        write!(
            f,
            "`{name}` is no api-version of the emulator: name one of {}",
            API_VERSIONS.join(", ")
        )
    }
}

impl Error for UnknownVersion {}

/// The withdrawn api-versions: a bit for each, in the order of their names, as every request reads them.
#[derive(Debug, Default)]
pub(crate) struct WithdrawnVersions(AtomicU32);

impl WithdrawnVersions {
    /// Withdraws these versions and no others. If one is unknown, nothing changes.
    pub(crate) fn set<T: AsRef<str>>(&self, names: impl IntoIterator<Item = T>) -> Result<(), UnknownVersion> {
        self.0.store(bits(names)?, Ordering::Release);
        Ok(())
    }

    pub(crate) fn add(&self, name: &str) -> Result<(), UnknownVersion> {
        self.0.fetch_or(bits([name])?, Ordering::AcqRel);
        Ok(())
    }

    pub(crate) fn remove(&self, name: &str) -> Result<(), UnknownVersion> {
        self.0.fetch_and(!bits([name])?, Ordering::AcqRel);
        Ok(())
    }

    fn contain(&self, name: &str) -> bool {
        let withdrawn = self.0.load(Ordering::Acquire);
        withdrawn != 0 && bits([name]).is_ok_and(|bits| withdrawn & bits != 0)
    }

    pub(crate) fn names(&self) -> Vec<&'static str> {
        API_VERSIONS.into_iter().filter(|name| self.contain(name)).collect()
    }
}

fn bits<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Result<u32, UnknownVersion> {
    names.into_iter().try_fold(0, |bits, name| {
        let name = name.as_ref();
        let index = API_VERSIONS.iter().position(|known| *known == name);
        let index = index.ok_or_else(|| UnknownVersion(name.to_owned()))?;
        Ok(bits | 1 << index)
    })
}

/// Refuses a request without a supported version, and lists the supported versions in the response.
pub(super) async fn require(
    State((endpoint, versions)): State<(Endpoint, ApiVersions)>,
    request: Request,
    next: Next,
) -> Response {
    let withdrawn = &endpoint.service.withdrawn_versions;
    let requested = requested_versions(request.uri());
    let mut response = match requested.as_slice() {
        [] => unspecified().into_response(),
        [version] if versions.supported(withdrawn).any(|supported| supported == version) => next.run(request).await,
        [version] => unsupported(&endpoint, &request, version).into_response(),
        several => ambiguous(&endpoint, several).into_response(),
    };
    let refusal = response.extensions().get::<Refusal>();
    if refusal.is_none_or(|refusal| refusal.lists_versions) {
        let listed = versions
            .header(withdrawn)
            .map(|listed| (API_SUPPORTED_VERSIONS, listed));
        response.headers_mut().extend(listed);
    }
    response
}

/// The versions in the query, without repetitions in any case.
fn requested_versions(uri: &Uri) -> Vec<String> {
    let parameters = uri.query().unwrap_or_default().split('&');
    let named = parameters.filter_map(|parameter| parameter.split_once('='));
    let decoded = named.map(|(name, version)| (percent_decode_str(name).decode_utf8_lossy(), version));
    let given = decoded.filter(|(name, _)| name.eq_ignore_ascii_case("api-version"));
    let mut versions: Vec<String> = Vec::new();
    for (_, version) in given {
        let version = percent_decode_str(version).decode_utf8_lossy();
        if !version.is_empty() && !versions.iter().any(|known| known.eq_ignore_ascii_case(&version)) {
            versions.push(version.into_owned());
        }
    }
    versions
}

fn unspecified() -> ServiceError {
    let message = "An API version is required, but was not specified.";
    ServiceError::new(StatusCode::BAD_REQUEST, "ApiVersionUnspecified", message)
}

/// The error for several versions, with the message of ASP.NET's API versioning.
fn ambiguous(endpoint: &Endpoint, versions: &[String]) -> ServiceError {
    let versions = endpoint.service.redact(&versions.join(", ")).into_owned();
    let shown: String = versions.chars().take(MAX_SHOWN).collect();
    let message = format!(
        "The following API versions were requested: {shown}. At most, only a single API version may be specified. Please \
         update the intended API version and retry the request."
    );
    ServiceError::new(StatusCode::BAD_REQUEST, "AmbiguousApiVersion", message)
}

fn unsupported(endpoint: &Endpoint, request: &Request, version: &str) -> ServiceError {
    let scheme = endpoint.scheme;
    let host = header_text(request.headers(), HOST).unwrap_or_default();
    let path = sent_uri(request.uri(), request.extensions()).path();
    let message = format!(
        "The HTTP resource that matches the request URI '{scheme}://{host}{path}' does not support the API version \
         '{version}'."
    );
    let message = endpoint.service.redact(&message).into_owned();
    ServiceError::new(StatusCode::BAD_REQUEST, "UnsupportedApiVersion", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn version_is_found_anywhere_in_the_query() {
        for (uri, versions) in [
            ("/identities?api-version=2023-10-01", &["2023-10-01"][..]),
            ("/identities?a=b&API-Version=2023%2D10-01", &["2023-10-01"]),
            ("/identities", &[]),
            ("/identities?", &[]),
            ("/identities?api-version", &[]),
            ("/identities?api-version=", &[]),
            ("/identities?api-version=a&api-version=A&api-version=b", &["a", "b"]),
        ] {
            assert_eq!(requested_versions(&uri.parse().unwrap()), versions, "{uri}");
        }
    }

    #[test]
    fn versions_are_withdrawn_and_restored() {
        let withdrawn = WithdrawnVersions::default();
        let [first, second, .., last] = API_VERSIONS;
        assert!(withdrawn.names().is_empty());
        withdrawn.add(last).unwrap();
        withdrawn.add(first).unwrap();
        assert_eq!(withdrawn.names(), [first, last]);
        withdrawn.remove(first).unwrap();
        withdrawn.remove(second).unwrap();
        assert_eq!(withdrawn.names(), [last]);
        withdrawn.set([second, first]).unwrap();
        assert_eq!(withdrawn.names(), [first, second]);
        withdrawn.set([""; 0]).unwrap();
        assert!(withdrawn.names().is_empty());
    }

    #[test]
    fn an_unknown_version_changes_nothing() {
        let withdrawn = WithdrawnVersions::default();
        let error = withdrawn.set([API_VERSIONS[0], "2023-10-02"]).unwrap_err().to_string();
        assert!(error.starts_with("`2023-10-02` is no api-version"), "{error}");
        assert!(error.ends_with(&API_VERSIONS.join(", ")), "{error}");
        assert!(withdrawn.names().is_empty());
    }
}
