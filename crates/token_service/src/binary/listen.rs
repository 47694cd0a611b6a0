//! The listeners.

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

/// How long a client may take for the TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// The head of a request: two tokens of 16 KiB, that of the caller and that of Teams, and what surrounds them.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_HEADERS: usize = 100;
/// How long answers may take on their way, and connections to end, once nothing is under way.
const LINGER: Duration = Duration::from_secs(1);

/// An address that is listened on, while nobody answers yet.
pub(crate) struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

impl Bound {
    /// Listens on an address. Port 0 takes any free port.
    pub(crate) async fn to(address: SocketAddr) -> io::Result<Self> {
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

/// What answers on an address, until it is stopped.
pub(crate) struct Listener {
    handle: Handle<SocketAddr>,
    running: JoinHandle<io::Result<()>>,
    under_way: UnderWay,
}

impl Listener {
    /// Serves the routes, over TLS if there is a configuration for it. Clients may take `idle` for the head of a request, and
    /// leave a connection for as long between two of them.
    pub(crate) fn serve(bound: Bound, tls: Option<RustlsConfig>, routes: Router, idle: Duration) -> Self {
        let handle = Handle::new();
        let under_way = UnderWay::default();
        let routes = routes
            .layer(from_fn_with_state(under_way.clone(), count))
            .into_make_service();
        let server = Server::<SocketAddr>::from_listener(bound.listener).handle(handle.clone());
        let running = match tls {
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).handshake_timeout(HANDSHAKE_TIMEOUT);
                tokio::spawn(bounded(server.acceptor(acceptor.acceptor(NoDelayAcceptor)), idle).serve(routes))
            }
            None => tokio::spawn(bounded(server.acceptor(NoDelayAcceptor), idle).serve(routes)),
        };
        Self {
            handle,
            running,
            under_way,
        }
    }

    /// Accepts no more connections, nor further requests on those that there are.
    pub(crate) fn stop(&self) {
        self.handle.graceful_shutdown(None);
    }

    /// Waits until no request is under way. A part of a request's head is none.
    pub(crate) async fn answered(&self) {
        // There is no error but that of a sender which is gone, and `self` has one.
        self.under_way
            .0
            .subscribe()
            .wait_for(|requests| *requests == 0)
            .await
            .ok();
    }

    /// Lets the last answers reach their callers, and ends what connections are left. False if a request has come in the
    /// meantime, which is to be [answered](Self::answered). To be called when the listener has been [stopped](Self::stop).
    pub(crate) async fn close(&mut self) -> bool {
        // There is no error but that of a listener which cannot be bound, and this one is.
        let ended = self.running.is_finished() || timeout(LINGER, &mut self.running).await.is_ok();
        if !ended && *self.under_way.0.borrow() > 0 {
            return false;
        }
        self.cut_off();
        true
    }

    /// Ends all connections at once.
    pub(crate) fn cut_off(&self) {
        self.handle.shutdown();
    }
}

/// How many requests are under way.
#[derive(Clone, Default)]
struct UnderWay(watch::Sender<usize>);

/// One of them.
struct Counted(UnderWay);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.0.send_modify(|requests| *requests -= 1);
    }
}

/// Counts a request while it is under way.
async fn count(State(under_way): State<UnderWay>, request: Request, next: Next) -> Response {
    under_way.0.send_modify(|requests| *requests += 1);
    let _counted = Counted(under_way);
    next.run(request).await
}

/// HTTP/1.1, within the bounds that are set for clients.
fn bounded<A>(server: Server<SocketAddr, A>, idle: Duration) -> Server<SocketAddr, A> {
    let mut server = server.http1_only();
    server
        .http_builder()
        .http1()
        .header_read_timeout(idle)
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

    /// A listener without routes, and a connection to it.
    async fn connected() -> (Listener, TcpStream) {
        let bound = Bound::to((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = bound.address();
        let listener = Listener::serve(bound, None, Router::new(), IDLE);
        (listener, TcpStream::connect(address).await.unwrap())
    }

    /// The status line that answers a request with these headers.
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
    async fn a_head_has_room_for_two_tokens_and_not_for_much_more() {
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
    async fn a_client_that_sends_nothing_or_does_not_finish_is_given_up() {
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
    async fn an_idle_connection_does_not_hold_up_the_end() {
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
                listener.answered().await;
                assert!(listener.close().await);
                // The other end is told, or finds out.
                client.read_to_end(&mut Vec::new()).await.ok();
            });
            assert!(ended.await.is_ok(), "{sent}");
            assert!(TcpStream::connect(address).await.is_err());
        }
    }

    #[tokio::test]
    async fn a_request_that_has_not_been_answered_holds_up_the_end() {
        let gate = Arc::new(Semaphore::new(0));
        let opened = gate.clone();
        let route = get(|| async move {
            opened.acquire().await.unwrap().forget();
            "answered"
        });
        let bound = Bound::to((Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
        let address = bound.address();
        let mut listener = Listener::serve(bound, None, Router::new().route("/", route), IDLE);
        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut requests = listener.under_way.0.subscribe();
        let counted = timeout(IDLE, requests.wait_for(|requests| *requests == 1)).await;
        assert!(counted.is_ok_and(|counted| counted.is_ok()));
        listener.stop();
        assert!(!listener.close().await);
        assert!(timeout(Duration::ZERO, listener.answered()).await.is_err());

        gate.add_permits(1);
        listener.answered().await;
        assert!(listener.close().await);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("answered"), "{answer}");
    }
}
