//! Replies to requests: responses, parts of responses, and other bytes.

use crate::{
    request::RawRequest,
    support::{fake_service::Pending, raw_server::Connection},
};
use azure_core::{
    Bytes, Error,
    error::ErrorKind,
    http::{AsyncRawResponse, headers::Headers},
};
use futures::{StreamExt as _, stream};
use std::{future, io};

/// Bytes to send, and the end of the connection.
pub(crate) struct Reply {
    message: Message,
    end: End,
}

enum Message {
    Response {
        status: u16,
        headers: String,
        body: Vec<u8>,
        /// The number of bytes of the body that are not sent.
        missing: usize,
    },
    Bytes(Vec<u8>),
}

pub(crate) enum End {
    /// The connection is kept alive.
    KeepAlive,
    Close,
    Reset,
    /// No more bytes are sent, and the connection stays open.
    Silence,
    /// These bytes are sent forever.
    Repeat(String),
}

/// Creates a whole response. A status without a body has no length either.
pub(crate) fn response(status: u16, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    Reply {
        message: Message::Response {
            status,
            headers: headers.to_owned(),
            body: body.as_ref().into(),
            missing: 0,
        },
        end: End::KeepAlive,
    }
}

/// Creates the documented response.
pub(crate) fn documented(request: &RawRequest) -> Reply {
    let (status, body) = request.documented();
    response(status, "content-type: application/json\r\n", body)
}

/// Creates a success with any body.
pub(crate) fn success(request: &RawRequest, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    response(request.status_with_body(), headers, body)
}

/// Creates a success whose last bytes are missing.
pub(crate) fn half(request: &RawRequest, missing: usize) -> Reply {
    success(request, "", [b' '; 20]).without_last(missing)
}

impl Reply {
    /// Creates a reply of any bytes.
    pub(crate) fn bytes(bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            message: Message::Bytes(bytes.into()),
            end: End::KeepAlive,
        }
    }

    pub(crate) fn then(self, end: End) -> Self {
        Self { end, ..self }
    }

    pub(crate) fn end(&self) -> &End {
        &self.end
    }

    /// Leaves out the last bytes of the body of a response.
    pub(crate) fn without_last(mut self, count: usize) -> Self {
        if let Message::Response { body, missing, .. } = &mut self.message {
            *missing = count.min(body.len());
        }
        self
    }

    /// Returns the bytes of the reply.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        match &self.message {
            Message::Bytes(bytes) => bytes.clone(),
            Message::Response {
                status,
                headers,
                body,
                missing,
            } => {
                let length = match status {
                    204 | 304 => String::new(),
                    _ => format!("content-length: {}\r\n", body.len()),
                };
                let head = format!("HTTP/1.1 {status} Status\r\n{headers}{length}\r\n");
                [head.as_bytes(), &body[..body.len() - missing]].concat()
            }
        }
    }

    /// Sends the reply. Returns the connection if it is kept alive.
    pub(crate) async fn send(self, mut connection: Connection) -> io::Result<Option<Connection>> {
        connection.write(self.to_bytes()).await?;
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

    /// Returns the result of a transport that receives the reply. Returns `None` where only a parser of HTTP knows it.
    pub(crate) fn received(self) -> Option<Pending> {
        let interrupted = || {
            let cause = io::Error::from(io::ErrorKind::ConnectionReset);
            Error::with_error(ErrorKind::Io, cause, "failed to execute request")
        };
        let (status, headers, mut body, missing) = match self.message {
            Message::Response {
                status,
                headers,
                body,
                missing,
            } => (status, headers, body, missing),
            Message::Bytes(bytes) if bytes.is_empty() => {
                return match self.end {
                    End::Close | End::Reset => Some(Box::pin(future::ready(Err(interrupted())))),
                    End::Silence => Some(Box::pin(future::pending())),
                    End::KeepAlive | End::Repeat(_) => None,
                };
            }
            Message::Bytes(_) => return None,
        };
        if headers.contains("content-encoding") {
            return None;
        }
        body.truncate(body.len() - missing);
        let sent = stream::iter([Ok(Bytes::from(body))]);
        let body: azure_core::http::response::PinnedStream = match self.end {
            _ if missing == 0 => Box::pin(sent),
            End::Close | End::Reset => Box::pin(sent.chain(stream::iter([Err(interrupted())]))),
            End::Silence => Box::pin(sent.chain(stream::pending())),
            End::KeepAlive | End::Repeat(_) => return None,
        };
        let mut parsed = Headers::new();
        for line in headers.lines() {
            let (name, value) = line.split_once(':').unwrap();
            parsed.insert(name.to_owned(), value.trim().to_owned());
        }
        let response = AsyncRawResponse::new(status.into(), parsed, body);
        Some(Box::pin(future::ready(Ok(response))))
    }
}
