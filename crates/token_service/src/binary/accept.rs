//! Accepted connections, which end when their client takes too long, or when they are closed for another one.

use crate::connections::{Admitted, Client, Connections, InFlightRequest};
use axum::extract::connect_info::Connected;
use axum_server::{AddrListener, Address};
use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    time::{Sleep, sleep},
};
use tokio_util::sync::WaitForCancellationFutureOwned;
use tracing::{info, warn};

/// The time for a head: the first one from the accepted connection on, with the TLS handshake; others from their first byte.
///
/// A piece of a head that arrives with the request before is not seen here. It counts as a pause until the next byte.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for a response to be read, from the moment at which the system's buffers are full.
pub(crate) const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// The pause after a failure to accept a connection, most likely for lack of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Accepts connections within a limit.
pub(crate) struct Acceptor {
    listener: TcpListener,
    connections: Connections,
    idle_timeout: Duration,
    /// Set after a failure, until a connection is accepted.
    is_failing: AtomicBool,
}

impl Acceptor {
    /// `idle_timeout` limits the pause between two requests of a connection.
    pub(crate) fn new(listener: TcpListener, connections: Connections, idle_timeout: Duration) -> Self {
        Self {
            listener,
            connections,
            idle_timeout,
            is_failing: AtomicBool::new(false),
        }
    }

    /// Makes room after a failure, and logs the first one of a row.
    async fn recover(&self, error: io::Error) {
        self.connections.metrics().closed("not_accepted");
        if !self.is_failing.swap(true, Ordering::Relaxed) {
            warn!(
                %error,
                "cannot accept connections, and tries again; raise the limit on open files, or lower limits.connections"
            );
        }
        self.connections.close_longest_waiting();
        sleep(ACCEPT_PAUSE).await;
    }
}

impl AddrListener<Connection, Peer> for Acceptor {
    /// Fails, as acceptors are made of bound listeners.
    async fn bind_to(_: Peer) -> io::Result<Self> {
        Err(ErrorKind::Unsupported.into())
    }

    /// Accepts a connection before there is room for it, as only then another one is closed for it.
    async fn accept_stream(&self) -> io::Result<(Connection, Peer)> {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    if self.is_failing.swap(false, Ordering::Relaxed) {
                        info!("connections are accepted again");
                    }
                    // Clients wait for the small responses, which Nagle's algorithm would delay.
                    stream.set_nodelay(true).ok();
                    let admitted = self.connections.admit().await;
                    let peer = Peer(Some(admitted.client().clone()));
                    return Ok((Connection::new(stream, admitted, self.idle_timeout), peer));
                }
                // The client has gone already.
                Err(error) if is_of_client(&error) => {}
                Err(error) => self.recover(error).await,
            }
        }
    }

    fn get_local_addr(&self) -> io::Result<Peer> {
        Ok(Peer(None))
    }
}

fn is_of_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

/// The client of a connection, in place of its address. A listener has none. It is an extension of each request.
#[derive(Clone)]
pub(crate) struct Peer(Option<Arc<Client>>);

impl Peer {
    /// Begins a request. Returns `None` if the connection is being closed.
    pub(crate) fn begin(self) -> Option<InFlightRequest> {
        self.0?.begin()
    }
}

impl Address for Peer {
    type Stream = Connection;
    type Listener = Acceptor;
}

impl Connected<Self> for Peer {
    fn connect_info(peer: Self) -> Self {
        peer
    }
}

/// A connection that fails when its client takes too long, or when it is closed for another one.
pub(crate) struct Connection {
    stream: TcpStream,
    admitted: Admitted,
    closed: Pin<Box<WaitForCancellationFutureOwned>>,
    idle_timeout: Duration,
    head: Option<HeadTimer>,
    write: Option<Pin<Box<Sleep>>>,
}

/// The time for a head, or for the pause before it.
struct HeadTimer {
    /// The place of the connection for which this runs. At another place, a request was in between.
    place: u64,
    /// Set after the first byte of the head.
    has_begun: bool,
    elapsed: Pin<Box<Sleep>>,
}

impl HeadTimer {
    fn new(place: u64, has_begun: bool, timeout: Duration) -> Self {
        Self {
            place,
            has_begun,
            elapsed: Box::pin(sleep(timeout)),
        }
    }
}

impl Connection {
    fn new(stream: TcpStream, admitted: Admitted, idle_timeout: Duration) -> Self {
        let place = admitted.client().place();
        Self {
            stream,
            closed: Box::pin(admitted.closed()),
            idle_timeout,
            head: place.map(|place| HeadTimer::new(place, true, HEAD_TIMEOUT)),
            write: None,
            admitted,
        }
    }

    /// Fails if the connection is closed for another one.
    fn check_open(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        if self.closed.as_mut().poll(cx).is_ready() {
            return Err(io::Error::new(
                ErrorKind::ConnectionAborted,
                "closed for another connection",
            ));
        }
        Ok(())
    }

    /// Fails if the client has had its time for a head. `has_read` is set if it has sent something now.
    fn check_head(&mut self, cx: &mut Context<'_>, has_read: bool) -> io::Result<()> {
        let Some(place) = self.admitted.client().place() else {
            self.head = None;
            return Ok(());
        };
        // A response that is not read yet has its time, and the pause begins after it.
        if self.write.is_some() {
            self.head = self.head.take().filter(|timer| timer.has_begun);
            return Ok(());
        }
        let timer = match self.head.take() {
            Some(timer) if timer.place == place && (timer.has_begun || !has_read) => timer,
            _ if has_read => HeadTimer::new(place, true, HEAD_TIMEOUT),
            _ => HeadTimer::new(place, false, self.idle_timeout),
        };
        let timer = self.head.insert(timer);
        if timer.elapsed.as_mut().poll(cx).is_pending() {
            return Ok(());
        }
        let reason = if timer.has_begun { "head" } else { "idle" };
        Err(self.timed_out(reason))
    }

    /// Fails if a response has not been read in time, also if a part of it was.
    fn check_write<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            return written;
        }
        let timer = self.write.get_or_insert_with(|| Box::pin(sleep(WRITE_TIMEOUT)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Err(self.timed_out("response")))
    }

    fn timed_out(&self, reason: &'static str) -> io::Error {
        self.admitted.metrics().closed(reason);
        ErrorKind::TimedOut.into()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_open(cx)?;
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.check_head(cx, buffer.filled().len() > before)?;
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.check_open(cx)?;
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.check_write(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_open(cx)?;
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.check_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    /// Ends the time for a response: hyper and rustls flush when they have written all of it. The pause begins here, as hyper
    /// does not read again if it has waited for the client to disconnect meanwhile.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.write = None;
            self.check_head(cx, false)?;
        }
        self.check_write(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut_down = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.check_write(cx, shut_down)
    }
}
