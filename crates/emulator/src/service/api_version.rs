//! The `api-version` of a request.

use crate::{
    endpoint::Endpoint,
    header,
    service::{Refusal, ServiceError, WithdrawnVersions},
};
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

const API_SUPPORTED_VERSIONS: HeaderName = HeaderName::from_static("api-supported-versions");

/// All api-versions of the emulator, oldest first. Their names sort by date.
pub(super) const ALL: [&str; 7] = [
    "2021-03-07",
    "2022-06-01",
    "2022-10-01",
    "2023-10-01",
    PREVIEW,
    "2025-06-30",
    "2026-09-23",
];

/// The only version of the operations on users of Entra ID.
const PREVIEW: &str = "2025-03-02-preview";

/// The versions of a group of operations.
#[derive(Clone, Copy)]
pub(super) struct ApiVersions(fn(&str) -> bool);

pub(super) const IDENTITIES: ApiVersions = ApiVersions(|_| true);
/// The exchange of Teams users' tokens came with the second version.
pub(super) const TEAMS_USER: ApiVersions = ApiVersions(|version| version >= "2022-06-01");
pub(super) const TEAMS_EXTENSION: ApiVersions = ApiVersions(|version| version >= PREVIEW);
pub(super) const PREVIEW_ONLY: ApiVersions = ApiVersions(|version| version == PREVIEW);

impl ApiVersions {
    /// The versions that are not withdrawn, oldest first.
    fn supported(self, withdrawn: &WithdrawnVersions) -> impl Iterator<Item = &'static str> {
        let Self(includes) = self;
        let versions = ALL.into_iter().filter(move |version| includes(version));
        versions.filter(|version| !withdrawn.contain(version))
    }

    /// The header that lists them; `None` if all are withdrawn.
    fn header(self, withdrawn: &WithdrawnVersions) -> Option<HeaderValue> {
        let supported: Vec<_> = self.supported(withdrawn).collect();
        let listed = (!supported.is_empty()).then(|| supported.join(", "))?;
        HeaderValue::try_from(listed).ok()
    }
}

/// Refuses a request without a supported version, and lists the supported versions in the response.
pub(super) async fn require(
    State((endpoint, versions)): State<(Endpoint, ApiVersions)>,
    request: Request,
    next: Next,
) -> Response {
    let withdrawn = &endpoint.resource.withdrawn_versions;
    let mut response = match requested_version(request.uri()) {
        None => unspecified().into_response(),
        Some(version) if versions.supported(withdrawn).any(|supported| supported == version) => next.run(request).await,
        Some(version) => unsupported(&endpoint, &request, &version).into_response(),
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

fn requested_version(uri: &Uri) -> Option<String> {
    let mut parameters = uri
        .query()?
        .split('&')
        .filter_map(|parameter| parameter.split_once('='));
    let (_, version) = parameters.find(|(name, _)| name.eq_ignore_ascii_case("api-version"))?;
    let version = percent_decode_str(version).decode_utf8_lossy();
    (!version.is_empty()).then(|| version.into_owned())
}

fn unspecified() -> ServiceError {
    let message = "An API version is required, but was not specified.";
    ServiceError::new(StatusCode::BAD_REQUEST, "ApiVersionUnspecified", message)
}

fn unsupported(endpoint: &Endpoint, request: &Request, version: &str) -> ServiceError {
    let scheme = endpoint.scheme;
    let host = header::text(request.headers(), HOST).unwrap_or_default();
    let path = request.uri().path();
    let message = format!(
        "The HTTP resource that matches the request URI '{scheme}://{host}{path}' does not support the API version \
         '{version}'."
    );
    let message = endpoint.resource.access_keys.hide(&message).into_owned();
    ServiceError::new(StatusCode::BAD_REQUEST, "UnsupportedApiVersion", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_found_wherever_it_stands_in_the_query() {
        for (uri, version) in [
            ("/identities?api-version=2023-10-01", Some("2023-10-01")),
            ("/identities?a=b&API-Version=2023%2D10-01", Some("2023-10-01")),
            ("/identities", None),
            ("/identities?", None),
            ("/identities?api-version", None),
            ("/identities?api-version=", None),
        ] {
            assert_eq!(requested_version(&uri.parse().unwrap()).as_deref(), version, "{uri}");
        }
    }
}
