//! Bytes that are not a request, and connections that send none.

use crate::{
    client::VERSION,
    process::{BINARY, Process, piped},
    signer::{self, ToSign},
    wire::{address, raw_request},
};
use proptest::{
    prelude::*,
    sample::Index,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

/// A limit that only a failure reaches.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Sends bytes and nothing after them, and reads until the emulator closes the connection.
async fn response_to(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The emulator may close the connection before it has read everything.
    if stream.write_all(bytes).await.is_ok() {
        stream.shutdown().await.ok();
    }
    let mut response = Vec::new();
    let read = timeout(TIMEOUT, stream.read_to_end(&mut response)).await;
    read.unwrap().ok();
    response
}

/// The request with bytes put in, taken out or changed.
fn damaged(request: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let damage = (any::<Index>(), 0..8_usize, prop::collection::vec(any::<u8>(), 0..8));
    prop::collection::vec(damage, 1..4).prop_map(move |damages| {
        let mut request = request.clone();
        for (at, length, bytes) in damages {
            let at = at.index(request.len());
            let end = (at + length).min(request.len());
            request.splice(at..end, bytes);
        }
        request
    })
}

#[tokio::test]
async fn any_bytes_get_an_error_or_a_closed_connection() {
    let process = Process::start(&["--token-algorithm", "ES256"]).await;
    let client = process.client();
    let id = client.create().await;
    let target = format!("/identities/{id}/:issueAccessToken{VERSION}");
    let to_sign = ToSign {
        method: "POST",
        target: &target,
        host: client.host(),
        date: &signer::now(),
        body: br#"{"scopes":["chat"]}"#,
    };
    let request = raw_request(&to_sign, &target, client.host(), "x-ms-date", &client.access_key);
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        damaged(request.into_bytes())
    ];

    let mut runner = TestRunner::new(Config::default());
    let mut statuses = Vec::new();
    for _ in 0..500 {
        let bytes = bytes.new_tree(&mut runner).unwrap().current();
        let shown = String::from_utf8_lossy(&bytes);
        let response = response_to(client.host(), &bytes).await;
        if let Some(status) = response.strip_prefix(b"HTTP/1.1 ") {
            let status: u16 = str::from_utf8(&status[..3]).unwrap().parse().unwrap();
            // Damage may hit an insignificant byte, such as a space after a header.
            assert!(status < 500 || status == 505, "{status}: {shown:?}");
            statuses.push(status);
        } else {
            assert_eq!(response, b"", "{shown:?}");
        }
        let response = response_to(address(process.text("httpsEndpoint")), &bytes).await;
        assert!(!response.starts_with(b"HTTP"), "{shown:?}");
    }
    // Part of it was good enough to be read.
    for status in [400, 401] {
        assert!(statuses.contains(&status), "{statuses:?}");
    }

    client.issue_chat(&id).await;
    let log = process.into_log().await;
    assert!(!log.contains("panicked"), "{log}");
}

/// Most systems allow a process fewer open files than this at first, and more on request.
#[cfg(unix)]
#[tokio::test]
async fn thousand_idle_connections_do_not_stop_service() {
    const IDLE: usize = 1000;
    // As many for these tests, and as many again for other tests that run at the same time.
    rlimit::increase_nofile_limit(3 * IDLE as u64).unwrap();
    let few = format!("ulimit -Sn 256; exec {BINARY} --token-algorithm ES256");
    let process = Process::spawn(&mut piped("sh", &["-c", &few])).await.unwrap();
    let (http, https) = (
        address(process.text("endpoint")),
        address(process.text("httpsEndpoint")),
    );

    let mut idle = Vec::new();
    for number in 0..IDLE {
        let address = if number % 2 == 0 { http } else { https };
        let mut stream = TcpStream::connect(address).await.unwrap();
        if number % 4 == 0 {
            stream.write_all(b"POST /identities HTTP/1.1\r\nHost:").await.unwrap();
        }
        idle.push(stream);
    }
    let client = process.client();
    let id = timeout(TIMEOUT, client.create()).await.unwrap();
    timeout(TIMEOUT, client.issue_chat(&id)).await.unwrap();
    // None of them was closed to make room.
    for stream in &idle {
        assert!(
            stream
                .try_read(&mut [0])
                .is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock)
        );
    }
}
