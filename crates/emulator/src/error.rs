//! Why an emulator did not start.

use crate::signature::InvalidAccessKey;
use aws_lc_rs::error::Unspecified;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    io,
};

/// An emulator could not be started, or could not do what it was asked.
///
/// Nothing in it repeats a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The access key that was given is not base64.
    AccessKey(InvalidAccessKey),
    /// The port on 127.0.0.1 cannot be listened on; most likely something else does. Port 0 takes any that is free.
    Bind {
        /// The port that was asked for.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// The certificate of the https listener could not be made.
    Certificate(Box<dyn Error + Send + Sync>),
    /// The random key could not be drawn, or a token not signed. The cryptographic library gives no reason.
    Cryptography,
}

impl Display for EmulatorError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessKey(error) => Display::fmt(error, f),
            Self::Bind { port, source } => write!(f, "cannot listen on 127.0.0.1:{port}: {source}"),
            Self::Certificate(source) => write!(f, "cannot make a certificate: {source}"),
            Self::Cryptography => f.write_str("cannot draw a random key or sign a token"),
        }
    }
}

impl Error for EmulatorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AccessKey(error) => Some(error),
            Self::Bind { source, .. } => Some(source),
            Self::Certificate(source) => Some(source.as_ref()),
            Self::Cryptography => None,
        }
    }
}

impl From<InvalidAccessKey> for EmulatorError {
    fn from(error: InvalidAccessKey) -> Self {
        Self::AccessKey(error)
    }
}

impl From<rcgen::Error> for EmulatorError {
    fn from(error: rcgen::Error) -> Self {
        Self::Certificate(error.into())
    }
}

impl From<rustls::Error> for EmulatorError {
    fn from(error: rustls::Error) -> Self {
        Self::Certificate(error.into())
    }
}

impl From<Unspecified> for EmulatorError {
    fn from(_: Unspecified) -> Self {
        Self::Cryptography
    }
}
