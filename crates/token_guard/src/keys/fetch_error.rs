//! Why an issuer's keys could not be fetched.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};
use url::Url;

/// A request for the discovery document or the keys that failed.
#[derive(Debug)]
pub(crate) struct FetchError {
    /// The address without its query, which can hold a secret.
    place: String,
    kind: FetchErrorKind,
}

#[derive(Debug)]
pub(crate) enum FetchErrorKind {
    /// No whole answer came, or none in time.
    Http(reqwest::Error),
    /// The answer has another status than 200.
    Status(http::StatusCode),
    /// The client followed a redirect.
    Redirected,
    /// The answer is longer than what is read.
    TooLong,
    /// The answer is not a discovery document.
    NotDiscovery,
    /// The document is that of another issuer.
    Issuer,
    /// The document names an address of keys that is not secure.
    KeysAddress,
    /// The answer has no key that signatures can be checked with.
    NoKeys,
    /// There is no tokio runtime, or it ended.
    Runtime,
    /// The runtime that the request was on stands still.
    Stalled,
}

impl FetchErrorKind {
    pub(crate) fn at(self, url: &Url) -> FetchError {
        FetchError {
            place: format!("{}{}", url.origin().ascii_serialization(), url.path()),
            kind: self,
        }
    }
}

impl Display for FetchError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.place)?;
        match &self.kind {
            FetchErrorKind::Http(error) if error.is_timeout() => f.write_str("did not answer in time"),
            FetchErrorKind::Http(error) if error.is_connect() => f.write_str("cannot be connected to"),
            FetchErrorKind::Http(_) => f.write_str("gave no whole answer"),
            FetchErrorKind::Status(status) => write!(f, "answered {status}"),
            FetchErrorKind::Redirected => f.write_str("redirected, which is not followed"),
            FetchErrorKind::TooLong => write!(f, "answered more than {} bytes", super::fetch::LONGEST_BODY),
            FetchErrorKind::NotDiscovery => f.write_str("did not answer a discovery document"),
            FetchErrorKind::Issuer => f.write_str("names another issuer than the one that was configured"),
            FetchErrorKind::KeysAddress => {
                f.write_str("names a jwks_uri that is neither https, nor http on loopback beside an issuer there")
            }
            FetchErrorKind::NoKeys => f.write_str("has no keys that signatures can be checked with"),
            FetchErrorKind::Runtime => f.write_str("was not asked: it takes a tokio runtime that runs"),
            FetchErrorKind::Stalled => f.write_str("was not heard of: the tokio runtime that asked it stands still"),
        }
    }
}

impl Error for FetchError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.kind {
            FetchErrorKind::Http(error) => Some(error),
            _ => None,
        }
    }
}
