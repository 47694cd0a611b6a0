//! Verification of signed requests.

use crate::{
    auth::signature::{
        AccessKey,
        string_to_sign::{StringToSign, Tolerance, content_hash},
    },
    dates,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    error::Error,
    fmt::{self, Debug, Display, Formatter},
};
use time::{Duration, OffsetDateTime};

/// The largest difference between a request's date and the service's clock, in either direction.
///
/// From the service's error message, "greater than the allowed margin of 5 minutes"; the documentation of signing does
/// not mention it.
pub const MAX_CLOCK_SKEW: Duration = Duration::minutes(5);

/// The parts of a request that a signature covers, as received.
///
/// `Debug` shows neither the `Authorization` header nor the body.
#[derive(Clone, Copy)]
pub struct SignedRequest<'a> {
    /// The verb, in upper case.
    pub method: &'a str,
    /// The path and query of the request line, not decoded: `/identities?api-version=2023-10-01`.
    pub target: &'a str,
    /// The `Host` header, with the port unless it is the scheme's default.
    pub host: Option<&'a str>,
    /// The `x-ms-date` header.
    pub x_ms_date: Option<&'a str>,
    /// The `Date` header; only used if the client signed it instead of `x-ms-date`.
    pub date: Option<&'a str>,
    /// The `x-ms-content-sha256` header.
    pub content_sha256: Option<&'a str>,
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// The body, which may be empty.
    pub body: &'a [u8],
}

impl Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("method", &self.method)
            .field("target", &self.target)
            .field("host", &self.host)
            .field("x_ms_date", &self.x_ms_date)
            .field("date", &self.date)
            .finish_non_exhaustive()
    }
}

/// Checks that `request` is signed with `key`, and that its date is at most [`MAX_CLOCK_SKEW`] from `now`.
///
/// The signature is the HMAC-SHA256 of `VERB\npath?query\ndate;host;hash`. It is compared in constant time.
///
/// # Errors
///
/// A [`SignatureError`] that names the first part that is wrong.
pub fn verify(
    request: &SignedRequest<'_>,
    key: &AccessKey,
    now: OffsetDateTime,
    tolerance: Tolerance,
) -> Result<(), SignatureError> {
    let authorization = Authorization::parse(present(request.authorization, "Authorization")?)?;
    let date = match (authorization.date_header, tolerance) {
        (DateHeader::XMsDate, _) => present(request.x_ms_date, "x-ms-date")?,
        (DateHeader::Date, Tolerance::OfficialClients) => present(request.date, "Date")?,
        (DateHeader::Date, Tolerance::Strict) => {
            return Err(SignatureError::UnsupportedSignedHeaders);
        }
    };
    let host = present(request.host, "Host")?;
    let hash = present(request.content_sha256, "x-ms-content-sha256")?;

    check_date(date, now)?;
    check_body(hash, request.body)?;

    let to_sign = StringToSign {
        method: request.method,
        target: request.target,
        date,
        host,
        hash,
    };
    if to_sign.is_signed(key, &authorization.signature, tolerance) {
        Ok(())
    } else {
        Err(SignatureError::SignatureMismatch)
    }
}

fn present<'a>(header: Option<&'a str>, name: &'static str) -> Result<&'a str, SignatureError> {
    header.ok_or(SignatureError::MissingHeader(name))
}

fn check_date(date: &str, now: OffsetDateTime) -> Result<(), SignatureError> {
    let ahead = dates::parse_http_date(date).ok_or(SignatureError::MalformedDate)? - now;
    if ahead.abs() > MAX_CLOCK_SKEW {
        return Err(SignatureError::ClockSkew { ahead });
    }
    Ok(())
}

fn check_body(hash: &str, body: &[u8]) -> Result<(), SignatureError> {
    if content_hash(body) != hash {
        return Err(SignatureError::BodyHashMismatch);
    }
    Ok(())
}

/// The error of a signed request.
///
/// Only the first error is reported: headers are checked before the date, the date before the body, and the body before
/// the signature. No variant contains a part of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// A required header is missing or is not text. The name is written as in the documentation.
    MissingHeader(&'static str),
    /// `Authorization` is not `HMAC-SHA256 SignedHeaders=…&Signature=…` with a signature in base64.
    MalformedAuthorization,
    /// `SignedHeaders` is not an accepted list.
    UnsupportedSignedHeaders,
    /// The date is not of the form `Sat, 01 Aug 2026 00:00:00 GMT`, with two digits for the day.
    MalformedDate,
    /// The date is further from the emulator's clock than [`MAX_CLOCK_SKEW`].
    ClockSkew {
        /// The date minus the emulator's time: negative if the client's clock is behind.
        ahead: Duration,
    },
    /// `x-ms-content-sha256` is not the SHA-256 of the received body.
    BodyHashMismatch,
    /// The signature is of another key, or of another verb, path, query, date, host or body hash.
    SignatureMismatch,
}

impl Display for SignatureError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingHeader(name) => write!(f, "the header {name} is missing"),
            Self::MalformedAuthorization => {
                f.write_str("Authorization is not `HMAC-SHA256 SignedHeaders=...&Signature=<base64>`")
            }
            Self::UnsupportedSignedHeaders => {
                f.write_str("SignedHeaders is not `x-ms-date;host;x-ms-content-sha256`, in that order")
            }
            Self::MalformedDate => f.write_str("the date is not of the form `Sat, 01 Aug 2026 00:00:00 GMT`"),
            Self::ClockSkew { ahead } => {
                let direction = if ahead.is_negative() { "behind" } else { "ahead of" };
                let (skew, allowed) = (ahead.abs().whole_seconds(), MAX_CLOCK_SKEW.whole_seconds());
                write!(
                    f,
                    "the date is {skew} s {direction} the service's clock; {allowed} s are allowed"
                )
            }
            Self::BodyHashMismatch => f.write_str("x-ms-content-sha256 is not the hash of the received body"),
            Self::SignatureMismatch => {
                f.write_str("the signature is of another key, or of another verb, path, query, date, host or body hash")
            }
        }
    }
}

impl Error for SignatureError {}

const SCHEME: &str = "HMAC-SHA256";

/// The parsed `Authorization` header of a signed request.
pub(super) struct Authorization {
    pub(super) date_header: DateHeader,
    pub(super) signature: Vec<u8>,
}

/// The header whose date is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum DateHeader {
    /// `SignedHeaders=x-ms-date;host;x-ms-content-sha256`, the documented list.
    XMsDate,
    /// `SignedHeaders=date;host;x-ms-content-sha256`, the list of 2020 and 2021, still in use.
    Date,
}

impl Authorization {
    pub(super) fn parse(header: &str) -> Result<Self, SignatureError> {
        let (scheme, parameters) = header.split_once(' ').ok_or(SignatureError::MalformedAuthorization)?;
        if !scheme.eq_ignore_ascii_case(SCHEME) {
            return Err(SignatureError::MalformedAuthorization);
        }
        // Azure App Configuration has it, the service's documentation does not.
        if parameters.split('&').any(|part| part.trim().starts_with("Credential=")) {
            return Err(SignatureError::MalformedAuthorization);
        }
        let parameter = |name| parameters.split('&').find_map(|part| part.trim().strip_prefix(name));
        let signed_headers = parameter("SignedHeaders=").ok_or(SignatureError::MalformedAuthorization)?;
        let signature = parameter("Signature=").ok_or(SignatureError::MalformedAuthorization)?;
        Ok(Self {
            date_header: DateHeader::of(signed_headers)?,
            signature: BASE64_STANDARD
                .decode(signature)
                .map_err(|_| SignatureError::MalformedAuthorization)?,
        })
    }
}

impl DateHeader {
    fn of(signed_headers: &str) -> Result<Self, SignatureError> {
        match signed_headers.to_ascii_lowercase().as_str() {
            "x-ms-date;host;x-ms-content-sha256" => Ok(Self::XMsDate),
            "date;host;x-ms-content-sha256" => Ok(Self::Date),
            _ => Err(SignatureError::UnsupportedSignedHeaders),
        }
    }
}
