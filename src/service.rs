//! What the service fixes: its versions, its Entra scope, its limits and its header names.

use azure_core::http::headers::HeaderName;
use std::ops::RangeInclusive;

/// The newest stable version of the service's REST API.
pub(crate) const API_VERSION: &str = "2025-06-30";

/// The newest preview version of the service's REST API, with features that no stable one has.
pub(crate) const PREVIEW_API_VERSION: &str = "2025-03-02-preview";

/// The scope that the official clients ask a token credential for, with both slashes: the service's audience is
/// `https://communication.azure.com/`, and `/.default` follows it.
pub(crate) const ENTRA_SCOPE: &str = "https://communication.azure.com//.default";

/// The lifetimes that the service grants a token, in minutes.
pub(crate) const TOKEN_LIFETIME_MINUTES: RangeInclusive<i64> = 60..=1440;

/// The characters that a custom id may have.
pub(crate) const CUSTOM_ID_CHARS: RangeInclusive<usize> = 1..=256;

/// How far a request's date may be from the service's, in minutes.
pub(crate) const CLOCK_MARGIN_MINUTES: i64 = 5;

/// The base64 of the SHA-256 of the request's body.
pub(crate) const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-ms-content-sha256");

/// The correlation vector of an answer: the id that Azure support asks for.
pub(crate) const CORRELATION_VECTOR: HeaderName = HeaderName::from_static("ms-cv");

/// The API versions that the service accepts, in an answer.
pub(crate) const SUPPORTED_VERSIONS: HeaderName = HeaderName::from_static("api-supported-versions");

/// The time of an answer.
pub(crate) const DATE: HeaderName = HeaderName::from_static_standard("date");
