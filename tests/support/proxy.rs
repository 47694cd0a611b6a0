//! An HTTP proxy that opens tunnels (RFC 9110, section 9.3.6).

use std::io;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// A proxy on loopback. It accepts no more connections when it is dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    tunnels: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, tunnels) = watch::channel(0);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let opened = sender.clone();
                tokio::spawn(async move {
                    // A connection that breaks off is the test's own.
                    tunnel(client, opened).await.ok();
                });
            }
        });
        Self { url, tunnels, task }
    }

    /// Returns the number of tunnels that were opened.
    pub(crate) fn tunnels(&self) -> usize {
        *self.tunnels.borrow()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn tunnel(mut client: TcpStream, opened: watch::Sender<usize>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let head = String::from_utf8(head).unwrap();
    let authority = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next());
    let mut server = TcpStream::connect(authority.unwrap()).await?;
    opened.send_modify(|tunnels| *tunnels += 1);
    client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
