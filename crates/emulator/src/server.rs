//! Listeners and their connections.

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use std::{io, net::Ipv4Addr, pin::pin, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    select,
    sync::watch,
    task::JoinSet,
    time,
};
use tokio_rustls::TlsAcceptor;
use tracing::{debug, warn};

/// How long requests under way may still take when the emulator is shut down.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait before accepting again after that failed, most likely for want of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Headers are bounded in number and in bytes. A request that has more is answered with 431.
const MAX_HEADERS: usize = 64;
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Listens on loopback. Port 0 is any that is free.
pub(crate) async fn bind(port: u16) -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// The running listeners. Dropping it ends them and their connections at once.
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

    /// Serves `router` to whoever connects, over TLS if there is an acceptor for it.
    pub(crate) fn serve(&mut self, listener: TcpListener, tls: Option<TlsAcceptor>, router: Router) {
        let stop = Stop(self.stop.subscribe());
        self.listeners.spawn(accept(listener, Connector { tls, router, stop }));
    }

    /// Stops listening, and waits a while for requests under way.
    pub(crate) async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let ended = async { while self.listeners.join_next().await.is_some() {} };
        if time::timeout(GRACE, ended).await.is_err() {
            warn!("requests under way were cut off");
        }
    }
}

/// Tells when to stop.
#[derive(Clone)]
struct Stop(watch::Receiver<bool>);

impl Stop {
    /// Waits for the time to stop. A server that is gone has stopped too.
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
                Ok((stream, _)) => {
                    connections.spawn(connector.clone().connect(stream));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

impl Connector {
    async fn connect(mut self, stream: TcpStream) {
        // Answers are small and waited for; without this the system would hold them back.
        stream.set_nodelay(true).ok();
        let Some(tls) = self.tls.take() else {
            return self.converse(stream).await;
        };
        select! {
            () = self.stop.requested() => {}
            stream = tls.accept(stream) => match stream {
                Ok(stream) => self.converse(stream).await,
                Err(error) => debug!(%error, "the TLS handshake failed"),
            },
        }
    }

    /// Answers the requests of one connection until either side ends it.
    ///
    /// There is no timeout: a client that stalls holds nothing but its own connection, and a test that stands in a
    /// debugger is not cut off.
    async fn converse(mut self, stream: impl AsyncRead + AsyncWrite + Unpin + Send) {
        let connection = http1::Builder::new()
            .max_headers(MAX_HEADERS)
            .max_header_size(MAX_HEADER_BYTES)
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(self.router));
        let mut connection = pin!(connection);
        let ended = select! {
            () = self.stop.requested() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
            ended = connection.as_mut() => ended,
        };
        if let Err(error) = ended {
            debug!(%error, "the connection broke");
        }
    }
}
