//! Connections that are reset in place of an answer.

use axum::response::Response;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;
use tracing::warn;

/// Why the connection of a request is reset. It is an extension of the response that is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ResetConnection {
    BeforeCommit,
    AfterCommit,
}

impl ResetConnection {
    pub(crate) fn in_place_of(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }

    /// The response, unless the connection is to be reset. As an error of the service, this ends the connection before
    /// a byte is written.
    pub(crate) fn check(response: Response) -> Result<Response, Self> {
        match response.extensions().get() {
            Some(reset) => Err(*reset),
            None => Ok(response),
        }
    }

    /// Whether this is why a connection ended.
    pub(crate) fn has_ended(error: &hyper::Error) -> bool {
        error.source().is_some_and(<dyn Error>::is::<Self>)
    }
}

impl Display for ResetConnection {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("a fault resets the connection")
    }
}

impl Error for ResetConnection {}

/// A stream over TCP.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;

    /// Closes the connection with a reset, where the end of the stream would look like that of an answer.
    fn reset(self)
    where
        Self: Sized,
    {
        // What has not been sent is discarded, and so is the end of the stream.
        if let Err(error) = self.tcp().set_zero_linger() {
            warn!(%error, "a connection is closed, but cannot be reset");
        }
    }
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}
