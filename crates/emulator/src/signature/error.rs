//! Errors of signed requests.

use crate::signature::MAX_CLOCK_SKEW;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};
use time::Duration;

/// What is wrong with a signed request.
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
