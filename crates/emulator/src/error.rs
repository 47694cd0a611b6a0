//! Errors of the emulator itself.

use crate::{
    auth::{InvalidControlToken, signature::InvalidAccessKey},
    faults::InvalidFault,
    http::{BindError, InvalidHost, UnknownVersion},
    identities::InvalidState,
    storage::{DataError, DataFileError, NotPersisted},
};
use aws_lc_rs::error::Unspecified;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    io,
    net::SocketAddr,
    path::PathBuf,
};

/// A failure to start an emulator, or of one of its methods.
///
/// No variant contains a key.
#[derive(Debug)]
#[non_exhaustive]
pub enum EmulatorError {
    /// The given access key is not base64.
    AccessKey(InvalidAccessKey),
    /// A given fault is not valid.
    Fault(InvalidFault),
    /// A given api-version is unknown.
    Version(UnknownVersion),
    /// A given name is not a host.
    Host(InvalidHost),
    /// A given state is of another resource.
    State(InvalidState),
    /// The given control token cannot be sent.
    ControlToken(InvalidControlToken),
    /// An address cannot be listened on, most likely because the port is taken, or because the machine does not have the
    /// address. Port 0 takes any free port.
    Bind {
        /// The address with the port.
        address: SocketAddr,
        /// The system's reason.
        source: io::Error,
    },
    /// The certificate of the https listener could not be generated.
    Certificate(Box<dyn Error + Send + Sync>),
    /// A random key could not be generated, or a token could not be signed. The cryptographic library gives no reason.
    Cryptography,
    /// The file that `EmulatorBuilder::data` names cannot be used.
    Data {
        /// The file.
        path: PathBuf,
        /// The reason and the remedy.
        source: DataError,
    },
    /// A change could not be written to the data file. The log has the reason. Start the emulator again to continue with
    /// what the file contains.
    NotPersisted,
}

impl Display for EmulatorError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::AccessKey(error) => Display::fmt(error, f),
            Self::Fault(error) => Display::fmt(error, f),
            Self::Version(error) => Display::fmt(error, f),
            Self::Host(error) => Display::fmt(error, f),
            Self::State(error) => Display::fmt(error, f),
            Self::ControlToken(error) => Display::fmt(error, f),
            Self::Bind { address, source } => write!(f, "cannot listen on {address}: {source}"),
            Self::Certificate(source) => write!(f, "cannot generate a certificate: {source}"),
            Self::Cryptography => f.write_str("cannot generate a key or sign a token"),
            Self::Data { path, source } => write!(f, "cannot use the data file {}: {source}", path.display()),
            Self::NotPersisted => f.write_str(
                "the change cannot be written to the data file; start the emulator again to continue with what the \
                 file contains",
            ),
        }
    }
}

impl Error for EmulatorError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::AccessKey(error) => Some(error),
            Self::Fault(error) => Some(error),
            Self::Version(error) => Some(error),
            Self::Host(error) => Some(error),
            Self::State(error) => Some(error),
            Self::ControlToken(error) => Some(error),
            Self::Bind { source, .. } => Some(source),
            Self::Certificate(source) => Some(source.as_ref()),
            Self::Data { source, .. } => Some(source),
            Self::Cryptography | Self::NotPersisted => None,
        }
    }
}

impl From<InvalidAccessKey> for EmulatorError {
    fn from(error: InvalidAccessKey) -> Self {
        Self::AccessKey(error)
    }
}

impl From<InvalidFault> for EmulatorError {
    fn from(error: InvalidFault) -> Self {
        Self::Fault(error)
    }
}

impl From<UnknownVersion> for EmulatorError {
    fn from(error: UnknownVersion) -> Self {
        Self::Version(error)
    }
}

impl From<InvalidHost> for EmulatorError {
    fn from(error: InvalidHost) -> Self {
        Self::Host(error)
    }
}

impl From<InvalidState> for EmulatorError {
    fn from(error: InvalidState) -> Self {
        Self::State(error)
    }
}

impl From<InvalidControlToken> for EmulatorError {
    fn from(error: InvalidControlToken) -> Self {
        Self::ControlToken(error)
    }
}

impl From<BindError> for EmulatorError {
    fn from(BindError { address, source }: BindError) -> Self {
        Self::Bind { address, source }
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

impl From<DataFileError> for EmulatorError {
    fn from(DataFileError { path, source }: DataFileError) -> Self {
        Self::Data { path, source }
    }
}

impl From<NotPersisted> for EmulatorError {
    fn from(NotPersisted: NotPersisted) -> Self {
        Self::NotPersisted
    }
}
