//! A server on a real socket, whose connections a test handles.

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A listening server. It ends when it is dropped.
pub(crate) struct RawServer {
    pub(crate) endpoint: String,
    counters: Arc<Counters>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counters {
    connections: AtomicUsize,
    open: watch::Sender<usize>,
    requests: watch::Sender<usize>,
}

impl RawServer {
    /// Listens on any free port and gives every connection to `handle`.
    pub(crate) async fn start<F, R>(handle: F) -> Self
    where
        F: Fn(Connection) -> R + Send + 'static,
        R: Future<Output = io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let counters = Arc::new(Counters::default());
        let its_counters = counters.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                its_counters.connections.fetch_add(1, Ordering::SeqCst);
                its_counters.open.send_modify(|open| *open += 1);
                tokio::spawn(handle(Connection {
                    stream: BufReader::new(stream),
                    counters: its_counters.clone(),
                }));
            }
        });
        Self {
            endpoint,
            counters,
            task,
        }
    }

    /// Stops listening, and returns when the port is closed.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        // Ends with the error that it was aborted.
        let _ = (&mut self.task).await;
    }

    /// Returns the number of connections that were established.
    pub(crate) fn connections(&self) -> usize {
        self.counters.connections.load(Ordering::SeqCst)
    }

    /// Returns the number of requests that arrived whole.
    pub(crate) fn requests(&self) -> usize {
        *self.counters.requests.borrow()
    }

    /// Waits until this many requests have arrived whole.
    pub(crate) async fn requests_arrived(&self, count: usize) {
        let mut requests = self.counters.requests.subscribe();
        requests.wait_for(|requests| *requests >= count).await.unwrap();
    }

    /// Waits until no connection is open.
    pub(crate) async fn all_closed(&self) {
        let mut open = self.counters.open.subscribe();
        open.wait_for(|open| *open == 0).await.unwrap();
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection of a client.
pub(crate) struct Connection {
    stream: BufReader<TcpStream>,
    counters: Arc<Counters>,
}

impl Connection {
    /// Reads one request with its body and counts it. Returns `None` when the client has closed the connection.
    pub(crate) async fn read_request(&mut self) -> io::Result<Option<String>> {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => request.push(byte),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let head = String::from_utf8_lossy(&request);
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let body = length.map_or(0, |length| length.parse().unwrap());
        let head = request.len();
        request.resize(head + body, 0);
        self.stream.read_exact(request.get_mut(head..).unwrap()).await?;
        self.counters.requests.send_modify(|requests| *requests += 1);
        Ok(Some(String::from_utf8_lossy(&request).into_owned()))
    }

    /// Returns the number of requests that have arrived at the server so far.
    pub(crate) fn committed(&self) -> usize {
        *self.counters.requests.borrow()
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// Ends the connection with a reset instead of a close.
    pub(crate) fn reset(self) -> io::Result<()> {
        self.stream.get_ref().set_zero_linger()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.counters.open.send_modify(|open| *open -= 1);
    }
}
