//! Requests and answers as bytes.

use crate::{
    client::{Client, VERSION, start},
    signer::{self, ToSign},
};
use acs_identity_emulator::Emulator;
use std::net::SocketAddr;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends bytes and reads all that comes back until the emulator ends the connection.
pub(crate) async fn exchange(emulator: &Emulator, request: &str) -> String {
    let address: SocketAddr = address(emulator).parse().unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// `127.0.0.1:49152`
pub(crate) fn address(emulator: &Emulator) -> &str {
    emulator.endpoint().trim_start_matches("http://").trim_end_matches('/')
}

/// A request as it goes over the wire, which asks for the connection to be closed.
pub(crate) fn raw_request(
    to_sign: &ToSign<'_>,
    sent_target: &str,
    sent_host: &str,
    date_header: &str,
    key: &str,
) -> String {
    let list = format!("{date_header};host;x-ms-content-sha256");
    let body = str::from_utf8(to_sign.body).unwrap();
    format!(
        "{} {sent_target} HTTP/1.1\r\nHost: {sent_host}\r\n{date_header}: {}\r\nx-ms-content-sha256: {}\r\n\
         Authorization: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        to_sign.method,
        to_sign.date,
        to_sign.content_hash(),
        to_sign.authorization_over(&list, key),
        body.len(),
    )
}

#[tokio::test]
async fn answers_are_framed_as_the_services_are() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let send = async |method, target: &str, body: &str| {
        let (host, date) = (address(&emulator), signer::now());
        let to_sign = ToSign {
            method,
            target,
            host,
            date: &date,
            body: body.as_bytes(),
        };
        exchange(
            &emulator,
            &raw_request(&to_sign, target, host, "x-ms-date", emulator.access_key()),
        )
        .await
    };
    let created = send("POST", &format!("/identities{VERSION}"), "").await;
    let (head, body) = created.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 201 Created\r\n"), "{head}");
    assert!(
        head.contains("\r\ncontent-type: application/json; charset=utf-8\r\n"),
        "{head}"
    );
    assert!(head.contains(&format!("\r\ncontent-length: {}", body.len())), "{head}");

    let refused = send("POST", &format!("/identities/{id}/:issueAccessToken{VERSION}"), "{}").await;
    let (head, body) = refused.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("\r\ncontent-type: application/json\r\n"), "{head}");
    assert!(head.contains("\r\ntransfer-encoding: chunked"), "{head}");
    assert!(!head.contains("content-length"), "{head}");
    assert!(body.ends_with("\r\n0\r\n\r\n"), "{body}");

    let deleted = send("DELETE", &format!("/identities/{id}{VERSION}"), "").await;
    let (head, body) = deleted.split_once("\r\n\r\n").unwrap();
    assert!(!head.contains("content-") && !head.contains("transfer-"), "{head}");
    assert_eq!(body, "");
}

#[tokio::test]
async fn the_clients_request_id_comes_back_if_it_asks_for_it() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let send = async |wanted: Option<&str>| {
        let mut request = client
            .signed("POST", &format!("/identities{VERSION}"), "")
            .header("x-ms-client-request-id", "1f9a");
        if let Some(wanted) = wanted {
            request = request.header("x-ms-return-client-request-id", wanted);
        }
        crate::client::Answer::of(request).await
    };
    assert_eq!(send(Some("true")).await.header("x-ms-client-request-id"), Some("1f9a"));
    assert_eq!(send(Some("false")).await.header("x-ms-client-request-id"), None);
    assert_eq!(send(None).await.header("x-ms-client-request-id"), None);
}

#[tokio::test]
async fn requests_are_bounded() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let target = format!("/identities{VERSION}");
    let body = |length: usize| format!("{{{}}}", " ".repeat(length - 2));
    assert_eq!(client.send("POST", &target, &body(64 * 1024)).await.status, 201);
    let long = client.send("POST", &target, &body(64 * 1024 + 1)).await;
    assert_eq!(
        (long.status, long.text("/error/code").as_str()),
        (413, "PayloadTooLarge")
    );
    let control = client
        .http
        .post(format!("{}tokens/introspect", emulator.control_endpoint()));
    assert_eq!(control.body(body(64 * 1024 + 1)).send().await.unwrap().status(), 413);

    let head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let few = format!("{head}{}\r\n", "a: b\r\n".repeat(62));
    assert!(exchange(&emulator, &few).await.starts_with("HTTP/1.1 401 "));
    let many = format!("{head}{}\r\n", "a: b\r\n".repeat(63));
    assert!(exchange(&emulator, &many).await.starts_with("HTTP/1.1 431 "));
    let large = format!("{head}a: {}\r\n\r\n", "b".repeat(33 * 1024));
    assert!(exchange(&emulator, &large).await.starts_with("HTTP/1.1 431 "));
    assert!(
        exchange(&emulator, "nonsense\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 400 ")
    );
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let emulator = start().await;
    let mut stream = TcpStream::connect(address(&emulator)).await.unwrap();
    for _ in 0..3 {
        stream
            .write_all(b"GET /_emulator/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "));
    }
}
