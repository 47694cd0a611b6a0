//! Constants of the service: versions, the Entra scope, limits and header names.

use azure_core::http::headers::HeaderName;
use client_core::call::BodyLimit;
use std::ops::RangeInclusive;

/// The newest stable version of the service's REST API.
pub(crate) const API_VERSION: &str = "2026-09-23";

/// The only version that exchanges the tokens of Entra users. The official client for JavaScript uses it, too.
pub(crate) const ENTRA_EXCHANGE_API_VERSION: &str = "2025-03-02-preview";

/// The scope that the official clients ask a token credential for, with both slashes: the service's audience is
/// `https://communication.azure.com/`, and `/.default` follows it.
pub(crate) const ENTRA_SCOPE: &str = "https://communication.azure.com//.default";

/// The lifetimes that the service grants a token, in minutes.
pub(crate) const TOKEN_LIFETIME_MINUTES: RangeInclusive<i64> = 60..=1440;

/// The most minutes by which a signature's date may differ from the service's clock.
pub(crate) const CLOCK_MARGIN_MINUTES: i64 = 5;

/// The longest body that is read. The service's own have one or two thousand bytes.
pub(crate) const BODY_LIMIT: BodyLimit = BodyLimit {
    max_len: 1024 * 1024,
    remedy: "it is not the service's own: check the endpoint, and any proxy in between",
};

/// The base64 of the SHA-256 of the request's body.
pub(crate) const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-ms-content-sha256");

/// The correlation vector of a response: the ID that Azure support asks for.
pub(crate) const CORRELATION_VECTOR: HeaderName = HeaderName::from_static("ms-cv");

/// The API versions that the service accepts, in a response.
pub(crate) const SUPPORTED_VERSIONS: HeaderName = HeaderName::from_static("api-supported-versions");
