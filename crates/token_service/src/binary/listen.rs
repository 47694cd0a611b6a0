//! HTTP listeners that drain their requests.

use axum::{
    Router,
    extract::{Request, State},
    middleware::{Next, from_fn_with_state},
    response::Response,
};
use axum_server::{
    Handle, Server,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use std::{io, net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle, time::timeout};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest head of a request: two tokens of 16 KiB, the caller's and the one for Teams, and other headers.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// The limit for sending the last responses and closing connections, without in-flight requests.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A bound address that does not serve yet.
pub(crate) struct BoundListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundListener {
    /// Binds an address. Port 0 takes any free port.
    pub(crate) async fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)
            .await
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A server on one address.
pub(crate) struct Listener {
    handle: Handle<SocketAddr>,
    server: JoinHandle<io::Result<()>>,
    in_flight: InFlight,
}

impl Listener {
    /// Serves the routes, over TLS if it is configured. `idle_timeout` limits the time for the head of a request, and the pause
    /// between two requests of a connection.
    pub(crate) fn serve(
        bound: BoundListener,
        tls: Option<RustlsConfig>,
        routes: Router,
        idle_timeout: Duration,
    ) -> Self {
        let handle = Handle::new();
        let in_flight = InFlight::default();
        let routes = routes
            .layer(from_fn_with_state(in_flight.clone(), count))
            .into_make_service();
        let server = Server::<SocketAddr>::from_listener(bound.listener).handle(handle.clone());
        let server = match tls {
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT);
                tokio::spawn(
                    with_limits(server.acceptor(acceptor.acceptor(NoDelayAcceptor)), idle_timeout).serve(routes),
                )
            }
            None => tokio::spawn(with_limits(server.acceptor(NoDelayAcceptor), idle_timeout).serve(routes)),
        };
        Self {
            handle,
            server,
            in_flight,
        }
    }

    /// Accepts no more connections, and no more requests on open ones.
    pub(crate) fn stop(&self) {
        self.handle.graceful_shutdown(None);
    }

    /// Waits until no request is in flight. An incomplete head is not a request.
    pub(crate) async fn drained(&self) {
        // The only error is a dropped sender, and `self` holds one.
        self.in_flight
            .0
            .subscribe()
            .wait_for(|requests| *requests == 0)
            .await
            .ok();
    }

    /// Sends the last responses, and closes all connections. Returns `false` if another request has arrived, which must be
    /// [drained](Self::drained) first. Call it after [`stop`](Self::stop).
    pub(crate) async fn close(&mut self) -> bool {
        // The only error is a failure to bind, and this listener is bound.
        let ended = self.server.is_finished() || timeout(CLOSE_TIMEOUT, &mut self.server).await.is_ok();
        if !ended && *self.in_flight.0.borrow() > 0 {
            return false;
        }
        self.cut_off();
        true
    }

    /// Closes all connections at once.
    pub(crate) fn cut_off(&self) {
        self.handle.shutdown();
    }
}

/// The number of in-flight requests.
#[derive(Clone, Default)]
struct InFlight(watch::Sender<usize>);

/// One in-flight request.
struct InFlightRequest(InFlight);

impl Drop for InFlightRequest {
    fn drop(&mut self) {
        self.0.0.send_modify(|requests| *requests -= 1);
    }
}

/// Counts a request while it is in flight.
async fn count(State(in_flight): State<InFlight>, request: Request, next: Next) -> Response {
    in_flight.0.send_modify(|requests| *requests += 1);
    let _request = InFlightRequest(in_flight);
    next.run(request).await
}

/// Restricts a server to HTTP/1.1 and to the limits for clients.
fn with_limits<A>(server: Server<SocketAddr, A>, idle_timeout: Duration) -> Server<SocketAddr, A> {
    let mut server = server.http1_only();
    server
        .http_builder()
        .http1()
        .header_read_timeout(idle_timeout)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    server
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use std::{net::Ipv4Addr, sync::Arc};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::Semaphore,
        time::Instant,
    };

    const IDLE: Duration = Duration::from_secs(20);

    /// Starts a listener without routes, and connects to it.
    async fn connected() -> (Listener, TcpStream) {
        let bound = BoundListener::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = bound.address();
        let listener = Listener::serve(bound, None, Router::new(), IDLE);
        (listener, TcpStream::connect(address).await.unwrap())
    }

    /// Returns the status line for a request with these headers.
    async fn status_line(headers: &str) -> String {
        let (_listener, mut client) = connected().await;
        let request = format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 64];
        let length = client.read(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer[..length].to_vec()).unwrap();
        answer.lines().next().unwrap().to_owned()
    }

    #[tokio::test]
    async fn head_has_room_for_two_tokens_only() {
        let token = "t".repeat(16 * 1024);
        let tokens = format!("authorization: Bearer {token}\r\nteams-user-aad-token: {token}\r\n");
        assert_eq!(status_line(&tokens).await, "HTTP/1.1 404 Not Found");
        let too_long = format!("cookie: {}\r\n", "c".repeat(2 * MAX_HEAD_BYTES));
        let too_many = "a: b\r\n".repeat(MAX_HEADERS);
        for headers in [too_long, too_many] {
            assert_eq!(
                status_line(&headers).await,
                "HTTP/1.1 431 Request Header Fields Too Large"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn incomplete_requests_time_out() {
        let request = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
        for (sent, answers) in [("", 0), ("GET / HTTP/1.1\r\nhost: ", 0), (request, 1)] {
            let (_listener, mut client) = connected().await;
            client.write_all(sent.as_bytes()).await.unwrap();
            let started = Instant::now();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer.matches("HTTP/1.1").count(), answers, "{sent}: {answer}");
            let elapsed = started.elapsed();
            assert!(elapsed >= IDLE && elapsed < IDLE * 2, "{sent}: {elapsed:?}");
        }
    }

    #[tokio::test]
    async fn idle_connection_does_not_delay_the_close() {
        for sent in [
            "",
            "GET / HTTP/1.1\r\nhost:",
            "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: localhost\r\n\r\nGET / HTTP/1.1\r\nhost:",
        ] {
            let (mut listener, mut client) = connected().await;
            client.write_all(sent.as_bytes()).await.unwrap();
            if sent.contains("\r\n\r\n") {
                assert_ne!(client.read(&mut [0; 1024]).await.unwrap(), 0);
            }
            let address = client.peer_addr().unwrap();
            listener.stop();
            let ended = timeout(IDLE / 2, async {
                listener.drained().await;
                assert!(listener.close().await);
                // The client sees the end of the connection, or a reset.
                client.read_to_end(&mut Vec::new()).await.ok();
            });
            assert!(ended.await.is_ok(), "{sent}");
            assert!(TcpStream::connect(address).await.is_err());
        }
    }

    #[tokio::test]
    async fn in_flight_request_delays_the_close() {
        let gate = Arc::new(Semaphore::new(0));
        let opened = gate.clone();
        let route = get(|| async move {
            opened.acquire().await.unwrap().forget();
            "answered"
        });
        let bound = BoundListener::bind((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = bound.address();
        let mut listener = Listener::serve(bound, None, Router::new().route("/", route), IDLE);
        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut requests = listener.in_flight.0.subscribe();
        let counted = timeout(IDLE, requests.wait_for(|requests| *requests == 1)).await;
        assert!(counted.is_ok_and(|counted| counted.is_ok()));
        listener.stop();
        assert!(!listener.close().await);
        assert!(timeout(Duration::ZERO, listener.drained()).await.is_err());

        gate.add_permits(1);
        listener.drained().await;
        assert!(listener.close().await);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("answered"), "{answer}");
    }
}
