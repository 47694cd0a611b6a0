//! The `Authorization` header of a signed request.

use crate::signature::SignatureError;
use base64::{Engine, prelude::BASE64_STANDARD};

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
