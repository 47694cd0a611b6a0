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

/// The preview version, whose features the stable versions lack.
const PREVIEW: &str = "2025-03-02-preview";

/// The supported versions of a group of operations, as listed in responses.
#[derive(Clone, Copy)]
pub(super) struct ApiVersions {
    pub(super) listed: &'static str,
}

pub(super) const IDENTITIES: ApiVersions = ApiVersions {
    listed: "2021-03-07, 2022-06-01, 2022-10-01, 2023-10-01, 2025-03-02-preview, 2025-06-30",
};

/// The exchange of Teams users' tokens was added in the second stable version.
pub(super) const TEAMS_USER: ApiVersions = ApiVersions {
    listed: "2022-06-01, 2022-10-01, 2023-10-01, 2025-03-02-preview, 2025-06-30",
};

pub(super) const TEAMS_EXTENSION: ApiVersions = ApiVersions {
    listed: "2025-03-02-preview, 2025-06-30",
};

pub(super) const PREVIEW_ONLY: ApiVersions = ApiVersions { listed: PREVIEW };

impl ApiVersions {
    fn contain(self, version: &str, withdrawn: &WithdrawnVersions) -> bool {
        self.all().any(|supported| supported == version) && !withdrawn.contain(version)
    }

    /// The header that lists them; `None` if all are withdrawn.
    fn header(self, withdrawn: &WithdrawnVersions) -> Option<HeaderValue> {
        if withdrawn.are_none() {
            return Some(HeaderValue::from_static(self.listed));
        }
        let left: Vec<_> = self.all().filter(|version| !withdrawn.contain(version)).collect();
        if left.is_empty() {
            return None;
        }
        HeaderValue::try_from(left.join(", ")).ok()
    }

    pub(super) fn all(self) -> impl Iterator<Item = &'static str> {
        self.listed.split(", ")
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
        Some(version) if versions.contain(&version, withdrawn) => next.run(request).await,
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
