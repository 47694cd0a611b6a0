//! The service's error codes.

use std::{convert::Infallible, fmt, str::FromStr};

/// A service error code.
///
/// The service publishes no list. These are the codes of its documentation, of recorded responses and of its users' reports;
/// any other is an [`UnknownValue`](Self::UnknownValue). A later version of this crate may turn it into a variant: compare by
/// [`as_str`](Self::as_str), and let a `match` have a wildcard arm.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum CommunicationErrorCode {
    /// 401: the request's signature, date or principal was refused.
    Denied,
    /// 401: the identity belongs to another resource.
    IdentityNotOwned,
    /// 401: the Teams user's Entra token is not valid.
    InvalidAccessToken,
    /// 400: the API version is not, or no longer, supported.
    UnsupportedApiVersion,
    /// 400: an argument was refused; the error's target names it.
    ValidationError,
    /// A code that this crate does not know.
    UnknownValue(String),
}

impl CommunicationErrorCode {
    /// Returns the code as the service writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Denied => "Denied",
            Self::IdentityNotOwned => "IdentityNotOwned",
            Self::InvalidAccessToken => "InvalidAccessToken",
            Self::UnsupportedApiVersion => "UnsupportedApiVersion",
            Self::ValidationError => "ValidationError",
            Self::UnknownValue(code) => code,
        }
    }
}

impl From<&str> for CommunicationErrorCode {
    fn from(code: &str) -> Self {
        match code {
            "Denied" => Self::Denied,
            "IdentityNotOwned" => Self::IdentityNotOwned,
            "InvalidAccessToken" => Self::InvalidAccessToken,
            "UnsupportedApiVersion" => Self::UnsupportedApiVersion,
            "ValidationError" => Self::ValidationError,
            unknown => Self::UnknownValue(unknown.to_owned()),
        }
    }
}

impl FromStr for CommunicationErrorCode {
    type Err = Infallible;

    fn from_str(code: &str) -> Result<Self, Self::Err> {
        Ok(code.into())
    }
}

impl fmt::Display for CommunicationErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
