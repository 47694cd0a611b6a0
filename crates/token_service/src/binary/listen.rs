//! HTTP listeners that bound their connections and drain their requests.

use crate::{
    accept::{Acceptor, Peer},
    connections::Connections,
};
use axum::{
    Router,
    body::{Body, BodyDataStream, Bytes, HttpBody},
    extract::{ConnectInfo, Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use axum_server::{
    Handle, Server,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};
use futures::Stream;
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use token_service::ConnectionMetrics;
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::watch,
    task::JoinHandle,
    time::timeout,
};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest head of a request: two tokens of 16 KiB, the caller's and the one for Teams, and other headers.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// The system's buffers of a connection, each way. The responses are shorter; a client that does not read would otherwise hold
/// megabytes.
const SOCKET_BUFFER_BYTES: u32 = 32 * 1024;
/// The connections that the system completes before they are accepted.
const BACKLOG: u32 = 1024;
/// The limit for sending the last responses and closing connections, without in-flight requests.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A bound address that does not serve yet.
pub(crate) struct BoundListener {
    listener: TcpListener,
    address: SocketAddr,
}

impl BoundListener {
    /// Binds an address. Port 0 takes any free port.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = listen(address)
            .map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {address}: {error}")))?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Listens as `TcpListener::bind` does. Connections inherit the sizes of the buffers.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    // Windows lets another process take the address then.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The bounds of a listener's connections.
#[derive(Clone, Copy)]
pub(crate) struct ConnectionLimits {
    /// The number of connections.
    pub(crate) connections: usize,
    /// The pause between two requests of a connection.
    pub(crate) idle: Duration,
}

/// A server on one address.
pub(crate) struct Listener {
    handle: Handle<Peer>,
    server: JoinHandle<io::Result<()>>,
    in_flight: InFlight,
}

impl Listener {
    /// Serves the routes, over TLS if it is configured.
    pub(crate) fn serve(
        bound: BoundListener,
        tls: Option<RustlsConfig>,
        routes: Router,
        limits: ConnectionLimits,
        metrics: ConnectionMetrics,
    ) -> Self {
        let handle = Handle::new();
        let in_flight = InFlight::default();
        let routes = routes
            .layer(from_fn_with_state(in_flight.clone(), count))
            .into_make_service_with_connect_info::<Peer>();
        let connections = Connections::new(limits.connections, metrics);
        let acceptor = Acceptor::new(bound.listener, connections, limits.idle);
        let server = with_limits(Server::from_listener(acceptor).handle(handle.clone()));
        let server = match tls {
            Some(tls) => {
                let tls = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT);
                tokio::spawn(server.acceptor(tls).serve(routes))
            }
            None => tokio::spawn(server.serve(routes)),
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

/// A response body of unknown length, with what is held until its end.
struct HeldBody<T> {
    chunks: BodyDataStream,
    _held: T,
}

impl<T: Unpin> Stream for HeldBody<T> {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.chunks).poll_next(cx)
    }
}

/// Counts a request while it is in flight: until its response, or until the end of a body that is streamed. A request of a
/// connection that is being closed is not executed, as its response could not be sent.
async fn count(
    State(in_flight): State<InFlight>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    request: Request,
    next: Next,
) -> Response {
    let Some(on_connection) = peer.begin() else {
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    in_flight.0.send_modify(|requests| *requests += 1);
    let held = (on_connection, InFlightRequest(in_flight));
    let response = next.run(request).await;
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| {
        Body::from_stream(HeldBody {
            chunks: body.into_data_stream(),
            _held: held,
        })
    })
}

/// Restricts a server to HTTP/1.1 and to the limits of a head. Connections have the timeouts.
fn with_limits(server: Server<Peer>) -> Server<Peer> {
    let mut server = server.http1_only();
    server
        .http_builder()
        .http1()
        .header_read_timeout(None)
        .max_buf_size(MAX_HEAD_BYTES)
        .max_headers(MAX_HEADERS);
    server
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accept::{HEAD_TIMEOUT, WRITE_TIMEOUT};
    use axum::routing::get;
    use futures::channel::mpsc;
    use std::{
        net::Ipv4Addr,
        sync::{Arc, Mutex},
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::Semaphore,
        task::yield_now,
        time::{Instant, resume, sleep},
    };

    const IDLE: Duration = Duration::from_secs(20);
    const REQUEST: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

    /// Starts a listener with room for some connections.
    fn serve(routes: Router, connections: usize) -> (Listener, SocketAddr) {
        let idle = IDLE;
        serve_within(routes, ConnectionLimits { connections, idle })
    }

    fn serve_within(routes: Router, limits: ConnectionLimits) -> (Listener, SocketAddr) {
        let bound = BoundListener::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = bound.address();
        let listener = Listener::serve(bound, None, routes, limits, ConnectionMetrics::default());
        (listener, address)
    }

    /// Starts a listener without routes, and connects to it.
    async fn connected() -> (Listener, TcpStream) {
        let (listener, address) = serve(Router::new(), 100);
        (listener, TcpStream::connect(address).await.unwrap())
    }

    /// Sends a piece of a request, and returns the status line of what comes back, or nothing if the connection ends.
    async fn answer(client: &mut TcpStream, sent: &str) -> Option<String> {
        client.write_all(sent.as_bytes()).await.ok()?;
        let mut answer = vec![0; 1024];
        let length = client.read(&mut answer).await.ok()?;
        let answer = String::from_utf8(answer[..length].to_vec()).unwrap();
        answer.lines().next().map(str::to_owned)
    }

    /// Returns the status line for a request with these headers.
    async fn status_line(headers: &str) -> String {
        let (_listener, mut client) = connected().await;
        let request = format!("GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
        answer(&mut client, &request).await.unwrap()
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
        let piece = "GET / HTTP/1.1\r\nhost: ";
        for (first, second, answers, limit) in [
            ("", "", 0, HEAD_TIMEOUT),
            (piece, "", 0, HEAD_TIMEOUT),
            (REQUEST, "", 1, IDLE),
            (REQUEST, piece, 1, HEAD_TIMEOUT),
            (REQUEST, REQUEST, 2, IDLE),
        ] {
            let (_listener, mut client) = connected().await;
            let mut heard = String::new();
            for sent in [first, second] {
                if sent == REQUEST {
                    heard += &answer(&mut client, sent).await.unwrap();
                } else {
                    client.write_all(sent.as_bytes()).await.unwrap();
                }
            }
            let started = Instant::now();
            client.read_to_string(&mut heard).await.unwrap();
            assert_eq!(heard.matches("HTTP/1.1").count(), answers, "{first}{second}: {heard}");
            let elapsed = started.elapsed();
            assert!(elapsed >= limit && elapsed < limit * 2, "{first}{second}: {elapsed:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn connection_times_out_after_a_request_that_took_time() {
        let route = get(async || sleep(IDLE * 3).await);
        let (_listener, address) = serve(Router::new().route("/", route), 100);
        let mut client = TcpStream::connect(address).await.unwrap();
        assert!(answer(&mut client, REQUEST).await.is_some());
        let started = Instant::now();
        let ended = timeout(IDLE * 3, client.read(&mut [0; 1024])).await;
        assert_eq!(ended.unwrap().unwrap(), 0);
        assert!(started.elapsed() >= IDLE, "{:?}", started.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn response_has_more_time_than_a_pause() {
        let idle = Duration::from_secs(1);
        let long = get(async || {
            sleep(Duration::from_secs(1)).await;
            "x".repeat(8 << 20)
        });
        let limits = ConnectionLimits { connections: 100, idle };
        let (_listener, address) = serve_within(Router::new().route("/", long), limits);
        let mut client = TcpStream::connect(address).await.unwrap();
        assert!(answer(&mut client, REQUEST).await.is_some());
        sleep(idle * 3).await;
        // Else the clock would advance whenever the system takes a moment to pass bytes on.
        resume();
        let mut rest = vec![0; (8 << 20) - 1024];
        let read = client.read_exact(&mut rest).await;
        assert!(read.is_ok(), "{read:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn each_byte_of_a_head_gives_no_more_time() {
        let (_listener, mut client) = connected().await;
        // Else the system would hold all bytes but the first back.
        client.set_nodelay(true).unwrap();
        let started = Instant::now();
        assert!(answer(&mut client, REQUEST).await.is_some());
        while client.write_all(b"G").await.is_ok() && started.elapsed() < HEAD_TIMEOUT * 3 {
            // The clock would advance before the runtime looks at sockets, which it does once in 61 polls.
            for _ in 0..100 {
                yield_now().await;
            }
            sleep(Duration::from_secs(1)).await;
        }
        let elapsed = started.elapsed();
        assert!(elapsed >= HEAD_TIMEOUT && elapsed < HEAD_TIMEOUT * 3 / 2, "{elapsed:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn response_that_is_not_read_ends_the_connection() {
        let long = get(async || "x".repeat(64 * 1024));
        let (listener, address) = serve(Router::new().route("/", long), 100);
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let mut client = socket.connect(address).await.unwrap();
        // Far more than the buffers of both ends take.
        client.write_all(REQUEST.repeat(1000).as_bytes()).await.unwrap();
        let started = Instant::now();
        let mut open = 0;
        while started.elapsed() < WRITE_TIMEOUT * 3 {
            open = listener.handle.connection_count();
            if open == 0 && started.elapsed() > Duration::from_secs(2) {
                break;
            }
            sleep(Duration::from_secs(1)).await;
        }
        assert_eq!(open, 0);
        assert!(started.elapsed() >= WRITE_TIMEOUT, "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn longest_idle_connection_makes_room() {
        let (_listener, address) = serve(Router::new(), 2);
        let connect = async |sent: &str| {
            let mut client = TcpStream::connect(address).await.unwrap();
            let answer = answer(&mut client, sent).await;
            (client, answer)
        };
        let (mut first, answered) = connect(REQUEST).await;
        assert!(answered.is_some());
        let (mut second, answered) = connect(REQUEST).await;
        assert!(answered.is_some());
        // With this request, the second one has waited longest.
        assert!(answer(&mut first, REQUEST).await.is_some());
        let (mut third, answered) = connect(REQUEST).await;
        assert!(answered.is_some());
        assert_eq!(answer(&mut second, REQUEST).await, None);
        assert!(answer(&mut first, REQUEST).await.is_some());
        assert!(answer(&mut third, REQUEST).await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn requests_in_flight_are_not_closed_for_others() {
        let gate = Arc::new(Semaphore::new(0));
        let opened = gate.clone();
        let route = get(async move || {
            opened.acquire().await.unwrap().forget();
            "answered"
        });
        let (listener, address) = serve(Router::new().route("/", route), 1);
        let request = async || answer(&mut TcpStream::connect(address).await.unwrap(), REQUEST).await;
        let requests = listener.in_flight.0.clone();
        let others = async {
            let mut requests = requests.subscribe();
            requests.wait_for(|requests| *requests == 1).await.unwrap();
            let second = request();
            tokio::pin!(second);
            assert!(timeout(IDLE * 2, &mut second).await.is_err());
            gate.add_permits(2);
            second.await
        };
        let (first, second) = tokio::join!(request(), others);
        assert_eq!(first.as_deref(), Some("HTTP/1.1 200 OK"));
        assert_eq!(second, first);
    }

    #[tokio::test(start_paused = true)]
    async fn streamed_response_is_in_flight_until_its_end() {
        let (chunks, received) = mpsc::unbounded::<Result<&str, io::Error>>();
        let received = Arc::new(Mutex::new(Some(received)));
        let route = get(async move || Body::from_stream(received.lock().unwrap().take().unwrap()));
        let (mut listener, address) = serve(Router::new().route("/", route), 1);
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut heard = String::new();
        for chunk in ["first", "second"] {
            chunks.unbounded_send(Ok(chunk)).unwrap();
            while !heard.contains(chunk) {
                let mut piece = [0; 1024];
                let length = client.read(&mut piece).await.unwrap();
                assert_ne!(length, 0, "{heard}");
                heard += std::str::from_utf8(&piece[..length]).unwrap();
            }
            let another = async { answer(&mut TcpStream::connect(address).await.unwrap(), REQUEST).await };
            assert!(timeout(IDLE * 2, another).await.is_err());
        }
        listener.stop();
        assert!(timeout(IDLE, listener.drained()).await.is_err());
        assert!(!listener.close().await);

        drop(chunks);
        listener.drained().await;
        assert!(listener.close().await);
        client.read_to_string(&mut heard).await.unwrap();
        assert!(heard.ends_with("\r\n0\r\n\r\n"), "{heard}");
    }

    #[tokio::test]
    async fn idle_connection_does_not_delay_the_close() {
        for sent in [
            "",
            "GET / HTTP/1.1\r\nhost:",
            REQUEST,
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
        let (mut listener, address) = serve(Router::new().route("/", route), 100);
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(REQUEST.as_bytes()).await.unwrap();
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
