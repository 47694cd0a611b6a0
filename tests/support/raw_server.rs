//! A server on a real socket that does what a test tells it to with each connection.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "part of several tests, and each uses some of it")]

use std::{
    future::Future,
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A listening server. It ends when it is dropped.
pub(crate) struct RawServer {
    pub(crate) endpoint: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
    task: JoinHandle<()>,
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
        let connections = Arc::new(AtomicUsize::new(0));
        let requests = Arc::new(AtomicUsize::new(0));
        let counters = (connections.clone(), requests.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counters.0.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(handle(Connection {
                    stream,
                    requests: counters.1.clone(),
                }));
            }
        });
        Self {
            endpoint,
            connections,
            requests,
            task,
        }
    }

    /// Stops listening, and returns when the port is closed.
    pub(crate) async fn stop(mut self) {
        self.task.abort();
        // Ends with the error that it was aborted.
        let _ = (&mut self.task).await;
    }

    /// How many connections were established.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// How many requests arrived whole.
    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection of a client.
pub(crate) struct Connection {
    stream: TcpStream,
    requests: Arc<AtomicUsize>,
}

impl Connection {
    /// Reads the head of one request and counts it; `None` when the client has closed the connection.
    ///
    /// The requests of these tests have no body.
    pub(crate) async fn read_request(&mut self) -> io::Result<Option<String>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match self.stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        self.requests.fetch_add(1, Ordering::SeqCst);
        Ok(Some(String::from_utf8_lossy(&head).into_owned()))
    }

    /// How many requests have arrived at the server so far.
    pub(crate) fn committed(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) async fn write(&mut self, bytes: &str) -> io::Result<()> {
        self.stream.write_all(bytes.as_bytes()).await
    }

    /// Ends the connection with a reset instead of a close.
    pub(crate) fn reset(self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }
}
