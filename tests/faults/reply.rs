//! What a raw server does about a request.

use crate::{asked::Asked, support::raw_server::Connection};
use std::io;

/// Bytes to send, and what is done then.
pub(crate) struct Reply {
    pub(crate) bytes: Vec<u8>,
    pub(crate) end: End,
}

pub(crate) enum End {
    /// The connection is kept alive.
    KeepAlive,
    Close,
    Reset,
    /// Nothing is sent any more, and the connection stays open.
    Silence,
    /// These bytes are sent for ever.
    Repeat(String),
}

/// A whole answer. A status without a body has no length either.
pub(crate) fn answer(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let length = match status {
        204 | 304 => String::new(),
        _ => format!("content-length: {}\r\n", body.len()),
    };
    let head = format!("HTTP/1.1 {status} Status\r\n{headers}{length}\r\n");
    Reply::new([head.as_bytes(), body].concat())
}

/// The documented answer.
pub(crate) fn documented(asked: &Asked) -> Reply {
    let (status, body) = asked.documented();
    answer(status, "content-type: application/json\r\n", body)
}

/// A success with a body of any kind.
pub(crate) fn success(asked: &Asked, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    answer(asked.status_with_body(), headers, body)
}

impl Reply {
    pub(crate) fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            bytes: bytes.into(),
            end: End::KeepAlive,
        }
    }

    pub(crate) fn then(self, end: End) -> Self {
        Self { end, ..self }
    }

    /// Cuts so many bytes off.
    pub(crate) fn without_last(mut self, count: usize) -> Self {
        self.bytes.truncate(self.bytes.len() - count);
        self
    }

    /// Sends it. Returns the connection if it is kept alive.
    pub(crate) async fn send(self, mut connection: Connection) -> io::Result<Option<Connection>> {
        connection.write(self.bytes).await?;
        match self.end {
            End::KeepAlive => Ok(Some(connection)),
            End::Close => Ok(None),
            End::Reset => connection.reset().map(|()| None),
            // Ends when the client closes the connection.
            End::Silence => connection.read_request().await.map(|_| None),
            End::Repeat(bytes) => loop {
                connection.write(&bytes).await?;
            },
        }
    }
}
