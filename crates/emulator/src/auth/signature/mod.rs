//! Authentication by access key: the signatures of requests.
//!
//! A request is signed with HMAC-SHA256 over its verb, path and query, date, host and body hash, as described in
//! [Microsoft's tutorial]. [`verify()`] is a pure function, which needs neither a socket nor a clock nor an emulator.
//! Its error says which part of the request is wrong. [`explain()`] names the mistake behind it.
//!
//! ```
//! use acs_identity_emulator::signature::{AccessKey, SignatureError, SignedRequest, Tolerance, verify};
//! use time::macros::datetime;
//!
//! let key: AccessKey = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=".parse()?;
//! let request = SignedRequest {
//!     method: "POST",
//!     target: "/identities?api-version=2023-10-01",
//!     host: Some("localhost:8443"),
//!     x_ms_date: Some("Sat, 01 Aug 2026 00:00:00 GMT"),
//!     date: None,
//!     content_sha256: Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
//!     authorization: Some(
//!         "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256\
//!          &Signature=aWzkC+2HOJGiXPk6fljytL9/uELEFqEpPHF4TjNnk0o=",
//!     ),
//!     body: b"",
//! };
//! let now = datetime!(2026-08-01 00:00:00 UTC);
//!
//! assert_eq!(verify(&request, &key, now, Tolerance::Strict), Ok(()));
//! assert_eq!(
//!     verify(&SignedRequest { method: "DELETE", ..request }, &key, now, Tolerance::Strict),
//!     Err(SignatureError::SignatureMismatch),
//! );
//! # Ok::<(), acs_identity_emulator::signature::InvalidAccessKey>(())
//! ```
//!
//! [Microsoft's tutorial]: https://learn.microsoft.com/azure/communication-services/tutorials/hmac-header-tutorial

mod access_key;
mod detection;
mod explain;
mod json_whitespace;
mod mistake;
mod string_to_sign;
mod verify;

pub use access_key::{AccessKey, InvalidAccessKey};
pub(crate) use explain::explain_for_any;
pub use explain::{Explanation, explain};
pub use mistake::Mistake;
pub use string_to_sign::Tolerance;
pub use verify::{MAX_CLOCK_SKEW, SignatureError, SignedRequest, verify};
