//! What can be wrong with a signed request.

use super::MAX_CLOCK_SKEW;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};
use time::Duration;

/// The part of a request that does not hold.
///
/// Only the first such part is reported: headers come before the date, the date before the body, the body before the
/// signature. Nothing of the request is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SignatureError {
    /// A header that has to be there is not, or is not text. The name is as the documents write it.
    MissingHeader(&'static str),
    /// `Authorization` does not read `HMAC-SHA256 SignedHeaders=…&Signature=…` with a signature in base64.
    MalformedAuthorization,
    /// `SignedHeaders` is not one of the lists that are accepted.
    UnsupportedSignedHeaders,
    /// The date is not written as `Sat, 01 Aug 2026 00:00:00 GMT`, with two digits for the day.
    MalformedDate,
    /// The date is further from the emulator's clock than [`MAX_CLOCK_SKEW`].
    ClockSkew {
        /// The date less the emulator's time: negative if the client's clock is behind.
        ahead: Duration,
    },
    /// `x-ms-content-sha256` is not the SHA-256 of the body that arrived.
    BodyHashMismatch,
    /// The signature belongs to another key or to other contents: verb, path and query, date, host or body hash.
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
            Self::BodyHashMismatch => f.write_str("x-ms-content-sha256 is not the hash of the body that arrived"),
            Self::SignatureMismatch => f.write_str(
                "the signature is by another key or over another verb, path, query, date, host or body hash",
            ),
        }
    }
}

impl Error for SignatureError {}
