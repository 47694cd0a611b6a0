//! Listeners and their connections.

use axum::{Router, response::Response};
use http::Request;
use hyper::{
    body::Incoming,
    server::conn::http1,
    service::{Service, service_fn},
};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    net::{IpAddr, SocketAddr},
    pin::Pin,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
    task::JoinSet,
    time,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::{debug, warn};

/// The time that requests in progress get to finish when the emulator is shut down.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// The delay after a failure to accept a connection, which most likely is for lack of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(50);
/// Limits on the headers of a request, beyond which it is refused with 431.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// The address of the client. It is an extension of each request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(IpAddr);

impl Peer {
    fn of(address: SocketAddr) -> Self {
        // A socket that takes both families has IPv4 addresses mapped into IPv6.
        Self(address.ip().to_canonical())
    }

    pub(crate) fn is_loopback(self) -> bool {
        self.0.is_loopback()
    }
}

/// The running listeners. Dropping them closes their connections at once.
pub(crate) struct Server {
    stop: watch::Sender<bool>,
    listeners: JoinSet<()>,
}

impl Server {
    pub(crate) fn new() -> Self {
        Self {
            stop: watch::Sender::new(false),
            listeners: JoinSet::new(),
        }
    }

    /// Serves `router` on listeners, over TLS if there is an acceptor.
    pub(crate) fn serve(&mut self, listeners: Vec<TcpListener>, tls: Option<TlsAcceptor>, router: Router) {
        let stop = Stop(self.stop.subscribe());
        let connector = Connector { tls, router, stop };
        for listener in listeners {
            self.listeners.spawn(accept(listener, connector.clone()));
        }
    }

    /// Stops listening, and waits up to [`SHUTDOWN_TIMEOUT`] for requests in progress.
    pub(crate) async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.listeners.join_next().await.is_some() {} };
        if time::timeout(SHUTDOWN_TIMEOUT, ended).await.is_err() {
            warn!("requests in progress were cut off");
        }
    }
}

/// The signal for a task to stop.
#[derive(Clone)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits until the server is shut down or dropped.
    async fn requested(&mut self) {
        self.0.wait_for(|stop| *stop).await.ok();
    }
}

/// Serves the connections of one listener.
#[derive(Clone)]
struct Connector {
    tls: Option<TlsAcceptor>,
    router: Router,
    stop: Stop,
}

async fn accept(listener: TcpListener, connector: Connector) {
    let mut stop = connector.stop.clone();
    let mut connections = JoinSet::new();
    loop {
        select! {
            () = stop.requested() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    connections.spawn(connector.clone().connect(stream, Peer::of(peer)));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    time::sleep(ACCEPT_RETRY_DELAY).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

impl Connector {
    async fn connect(mut self, stream: TcpStream, peer: Peer) {
        // Clients wait for the small responses, which Nagle's algorithm would delay.
        stream.set_nodelay(true).ok();
        let Some(tls) = self.tls.take() else {
            return self.serve(stream, peer).await;
        };
        select! {
            () = self.stop.requested() => {}
            stream = tls.accept(stream) => match stream {
                Ok(stream) => self.serve(stream, peer).await,
                Err(error) => debug!(%error, "the TLS handshake failed"),
            },
        }
    }

    /// Serves the requests of one connection until either side closes it.
    ///
    /// There is no timeout: a client that stalls blocks only its own connection, and one that is paused in a debugger
    /// is not cut off.
    async fn serve(mut self, stream: impl Socket, peer: Peer) {
        let router = TowerToHyperService::new(self.router);
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let response = router.call(request);
            async { ResetConnection::check(response.await.unwrap_or_else(|never| match never {})) }
        });
        let mut connection = http1::Builder::new()
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEADER_BYTES)
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), service);
        let ended = {
            let mut running = Pin::new(&mut connection);
            select! {
                () = self.stop.requested() => {
                    running.as_mut().graceful_shutdown();
                    running.await
                }
                ended = running.as_mut() => ended,
            }
        };
        if let Err(error) = ended {
            if ResetConnection::has_ended(&error) {
                return connection.into_parts().io.into_inner().reset();
            }
            debug!(%error, "the connection failed");
        }
    }
}

/// The order to reset a connection in place of sending a response, whose extension it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ResetConnection {
    BeforeCommit,
    AfterCommit,
}

impl ResetConnection {
    pub(super) fn in_place_of(self, mut response: Response) -> Response {
        response.extensions_mut().insert(self);
        response
    }

    /// Returns the response, or the order as an error, with which hyper ends the connection before a byte is written.
    fn check(response: Response) -> Result<Response, Self> {
        match response.extensions().get() {
            Some(reset) => Err(*reset),
            None => Ok(response),
        }
    }

    /// Returns whether a connection ended for this reason.
    fn has_ended(error: &hyper::Error) -> bool {
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
trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;

    /// Closes the connection with a reset, as the end of the stream would look like that of a response.
    fn reset(self)
    where
        Self: Sized,
    {
        // Unsent data is discarded, and so is the end of the stream.
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
