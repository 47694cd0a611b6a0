//! Requests and responses as bytes.

use crate::{
    client::{Client, Response, VERSION, start},
    signer::{self, ToSign},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends a request and reads until the emulator closes the connection.
pub(crate) async fn exchange(endpoint: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address(endpoint)).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    rest(&mut stream).await
}

/// Reads until the emulator closes the connection.
pub(crate) async fn rest(stream: &mut TcpStream) -> String {
    let mut response = Vec::new();
    // The emulator resets a connection if it has not read the whole request, but only after its response.
    stream.read_to_end(&mut response).await.ok();
    String::from_utf8(response).unwrap()
}

/// Host and port of an endpoint: `127.0.0.1:49152`.
pub(crate) fn address(endpoint: &str) -> &str {
    endpoint.split_once("://").unwrap().1.trim_end_matches('/')
}

/// Sends the head of a request, and waits until the emulator asks for its body, which is `{}`.
pub(crate) async fn begin_upload(address: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head =
        "POST /_emulator/entra/tokens HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut response = [0; b"HTTP/1.1 100 Continue\r\n\r\n".len()];
    stream.read_exact(&mut response).await.unwrap();
    stream
}

/// The bytes of a signed request, which asks for the connection to be closed.
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
async fn responses_are_framed_like_the_services() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let id = client.create().await;
    let send = async |method, target: &str, body: &str| {
        let (host, date) = (address(emulator.endpoint()), signer::now());
        let to_sign = ToSign {
            method,
            target,
            host,
            date: &date,
            body: body.as_bytes(),
        };
        exchange(
            emulator.endpoint(),
            &raw_request(&to_sign, target, host, "x-ms-date", &emulator.access_key()),
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
async fn client_request_id_is_returned_on_request() {
    let emulator = start().await;
    let client = Client::over_http(&emulator);
    let send = async |wanted: Option<&str>| {
        let mut request = client
            .signed("POST", &format!("/identities{VERSION}"), "")
            .header("x-ms-client-request-id", "1f9a");
        if let Some(wanted) = wanted {
            request = request.header("x-ms-return-client-request-id", wanted);
        }
        Response::of(request).await
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
    let control = client.unsigned("POST", "/_emulator/tokens/introspect", &body(64 * 1024 + 1));
    let control = Response::of(control).await;
    assert_eq!(
        (control.status, control.text("/error/code").as_str()),
        (413, "PayloadTooLarge")
    );

    let head = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n";
    let few = format!("{head}{}\r\n", "a: b\r\n".repeat(62));
    assert!(exchange(emulator.endpoint(), &few).await.starts_with("HTTP/1.1 401 "));
    let many = format!("{head}{}\r\n", "a: b\r\n".repeat(63));
    assert!(exchange(emulator.endpoint(), &many).await.starts_with("HTTP/1.1 431 "));
    let large = format!("{head}a: {}\r\n\r\n", "b".repeat(33 * 1024));
    assert!(exchange(emulator.endpoint(), &large).await.starts_with("HTTP/1.1 431 "));
    assert!(
        exchange(emulator.endpoint(), "nonsense\r\n\r\n")
            .await
            .starts_with("HTTP/1.1 400 ")
    );
}

#[tokio::test]
async fn broken_body_differs_from_a_long_one() {
    let emulator = start().await;
    let long = format!("10001\r\n{}\r\n0\r\n\r\n", " ".repeat(0x10001));
    for path in ["/identities", "/_emulator/entra/tokens"] {
        for (framing, body, expected) in [
            ("Transfer-Encoding: chunked", long.as_str(), "413 Payload Too Large"),
            ("Transfer-Encoding: chunked", "nonsense\r\n", "400 Bad Request"),
            ("Transfer-Encoding: chunked", "2\r\n{", "400 Bad Request"),
            ("Content-Length: 2", "{", "400 Bad Request"),
        ] {
            let head = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{framing}\r\n\r\n");
            let mut stream = TcpStream::connect(address(emulator.endpoint())).await.unwrap();
            stream.write_all((head + body).as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            let response = rest(&mut stream).await;
            assert!(
                response.starts_with(&format!("HTTP/1.1 {expected}\r\n")),
                "{path} {body:.20}: {response}"
            );
        }
    }
}

#[tokio::test]
async fn connection_serves_many_requests() {
    let emulator = start().await;
    let mut stream = TcpStream::connect(address(emulator.endpoint())).await.unwrap();
    for _ in 0..3 {
        stream
            .write_all(b"GET /_emulator/resource HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut response = Vec::new();
        while !response.ends_with(b"}") {
            assert_ne!(stream.read_buf(&mut response).await.unwrap(), 0);
        }
        assert!(response.starts_with(b"HTTP/1.1 200 "));
    }
}
