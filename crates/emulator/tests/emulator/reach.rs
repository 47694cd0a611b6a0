//! The addresses and names by which clients reach the emulator, and its control surface from elsewhere.

use crate::{
    client::{Client, Response, http, start},
    process::{Ended, Process, command, temporary},
    signer::KEY,
    wire::exchange,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::Certificate;
use serde_json::Value;
use std::{
    fs,
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    thread,
};
use tokio::net::TcpStream;

const TOKEN: &str = "correct-horse.battery~staple";

/// An address of this machine that is not loopback. Connections to it do not leave the machine.
fn own_address() -> IpAddr {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    // Nothing is sent: a UDP socket only selects its route.
    let routed = socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9));
    let address = routed.and_then(|()| socket.local_addr()).map(|address| address.ip());
    let address = address.unwrap_or(Ipv4Addr::LOCALHOST.into());
    assert!(!address.is_loopback(), "this test needs a network interface");
    address
}

fn port(endpoint: &str) -> u16 {
    endpoint
        .trim_end_matches('/')
        .rsplit_once(':')
        .unwrap()
        .1
        .parse()
        .unwrap()
}

/// A listening process, and its port for http.
async fn listening_everywhere(arguments: &[&str]) -> (Process, u16) {
    let process = Process::start(&[&["--host", "0.0.0.0"], arguments].concat()).await;
    let port = port(process.text("endpoint"));
    (process, port)
}

#[tokio::test]
async fn both_loopbacks_listen_on_the_same_ports() {
    let emulator = start().await;
    for loopback in ["127.0.0.1", "[::1]", "localhost"] {
        for client in [Client::over_http(&emulator), Client::over_https(&emulator)] {
            let origin = client.origin.replace("127.0.0.1", loopback);
            Client { origin, ..client }.create().await;
        }
    }
    assert_eq!(emulator.identity_count(), 6);
}

#[tokio::test]
async fn a_port_that_one_loopback_lacks_is_refused() {
    let taken = TcpListener::bind("[::1]:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let Err(Ended { code, log, .. }) = Process::spawn(&mut command(&["--port", &port.to_string()])).await else {
        panic!("it starts");
    };
    assert_eq!(code, Some(1));
    assert!(
        log.starts_with(&format!("error: cannot listen on [::1]:{port}: ")),
        "{log}"
    );
}

#[tokio::test]
async fn hosts_replace_the_loopbacks_with_one_warning() {
    let own = own_address();
    let process = Process::start(&["--host", &own.to_string(), "--host", "127.0.0.1"]).await;
    let endpoint = process.text("endpoint").to_owned();
    assert!(endpoint.starts_with("http://127.0.0.1:"), "{endpoint}");
    for host in [own, Ipv4Addr::LOCALHOST.into()] {
        let origin = format!("http://{}", SocketAddr::new(host, port(&endpoint)));
        Client {
            origin,
            ..process.client()
        }
        .create()
        .await;
    }
    assert!(TcpStream::connect(("::1", port(&endpoint))).await.is_err());
    let log = process.into_log().await;
    assert_eq!(log.matches(" WARN ").count(), 1, "{log}");
    let warning = log.lines().find(|line| line.contains(" WARN ")).unwrap();
    assert!(warning.contains(&own.to_string()), "{log}");
    assert!(warning.contains("to none of them, without a control token"), "{log}");
}

#[tokio::test]
async fn loopback_alone_is_no_warning() {
    for (arguments, host) in [
        (&[][..], "127.0.0.1"),
        (&["--host", "127.0.0.1"], "127.0.0.1"),
        (&["--host", "::1"], "[::1]"),
        (&["--host", "::1", "--host", "127.0.0.1", "--host", "::1"], "127.0.0.1"),
    ] {
        let process = Process::start(arguments).await;
        assert!(
            process.text("endpoint").starts_with(&format!("http://{host}:")),
            "{arguments:?}"
        );
        process.client().create().await;
        let log = process.into_log().await;
        assert!(!log.contains(" WARN "), "{arguments:?}: {log}");
    }
}

#[tokio::test]
async fn wildcards_may_be_combined_with_addresses() {
    let own = own_address();
    for hosts in [
        &["0.0.0.0", "127.0.0.1"][..],
        &["127.0.0.1", "0.0.0.0", "::1"],
        &["::", "0.0.0.0"],
    ] {
        let arguments: Vec<_> = hosts.iter().flat_map(|host| ["--host", host]).collect();
        let process = Process::start(&arguments).await;
        assert!(process.text("endpoint").starts_with("http://127.0.0.1:"), "{hosts:?}");
        let origin = format!("http://{own}:{}", port(process.text("endpoint")));
        Client {
            origin,
            ..process.client()
        }
        .create()
        .await;
    }
}

/// An http client for which this name is 127.0.0.1.
fn resolving(name: &str, ca_pem: &str) -> reqwest::Client {
    let ca = Certificate::from_pem(ca_pem.as_bytes()).unwrap();
    let builder = reqwest::Client::builder().no_proxy().tls_certs_only([ca]);
    // Port 0 stands for that of the URL.
    builder.resolve(name, (Ipv4Addr::LOCALHOST, 0).into()).build().unwrap()
}

#[tokio::test]
async fn names_are_in_the_certificate_and_accepted() {
    let (process, ca_pem) =
        Process::start_with_ca(&["--name", "emulator.test", "--name", "Other", "--name", "10.9.8.7"]).await;
    let https = process.text("httpsEndpoint");
    for name in ["emulator.test", "other", "10.9.8.7"] {
        // No name resolves to another address.
        if name.parse::<IpAddr>().is_err() {
            let origin = format!("https://{name}:{}", port(https));
            let client = Client::new(resolving(name, &ca_pem), &origin, &process.client().access_key);
            client.create().await;
        }
        let request = format!("GET /_emulator/resource HTTP/1.1\r\nHost: {name}:1\r\nConnection: close\r\n\r\n");
        let response = exchange(process.text("endpoint"), &request).await;
        assert!(response.starts_with("HTTP/1.1 200 "), "{name}: {response}");
    }
    let request = "GET /_emulator/resource HTTP/1.1\r\nHost: another\r\nConnection: close\r\n\r\n";
    let response = exchange(process.text("endpoint"), request).await;
    assert!(response.starts_with("HTTP/1.1 403 "), "{response}");
}

#[tokio::test]
async fn certificate_names_the_hosts_it_listens_on() {
    let own = own_address();
    let (process, ca_pem) = Process::start_with_ca(&["--host", &own.to_string()]).await;
    let endpoint = process.text("httpsEndpoint").to_owned();
    assert!(endpoint.starts_with(&format!("https://{own}:")), "{endpoint}");
    process.https_client(&ca_pem).create().await;
}

#[tokio::test]
async fn advertised_host_is_in_the_connection_strings() {
    for (host, shown) in [("emulator.test", "emulator.test"), ("fd00::7", "[fd00::7]")] {
        let (process, ca_pem) = Process::start_with_ca(&["--advertise", host, "--access-key", KEY]).await;
        let http_port = port(process.text("endpoint"));
        let endpoint = format!("http://{shown}:{http_port}/");
        let https_endpoint = format!("https://{shown}:{}/", port(process.text("httpsEndpoint")));
        assert_eq!(process.text("endpoint"), endpoint);
        assert_eq!(
            process.text("connectionString"),
            format!("endpoint={endpoint};accesskey={KEY}")
        );
        assert_eq!(
            process.text("httpsConnectionString"),
            format!("endpoint={https_endpoint};accesskey={KEY}")
        );
        // It is for the person at this machine.
        let control = format!("http://127.0.0.1:{http_port}/_emulator/");
        assert_eq!(process.text("controlEndpoint"), control);
        let keys = Response::of(http().get(format!("{control}access-keys"))).await;
        assert_eq!(keys.text("/primary/connectionString"), process.text("connectionString"));
        if shown == host {
            Client::new(resolving(host, &ca_pem), &https_endpoint, KEY)
                .create()
                .await;
        }
    }
}

/// The status of a request for the access keys, and whether the response has one of them.
async fn keys_from(
    http: &reqwest::Client,
    host: IpAddr,
    port: u16,
    authorization: Option<&str>,
) -> (u16, bool, Option<String>) {
    let url = format!("http://{}/_emulator/access-keys", SocketAddr::new(host, port));
    let mut request = http.get(url);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let challenges = response.headers().get_all("www-authenticate").iter();
    let challenges: Vec<_> = challenges.map(|value| value.to_str().unwrap().to_owned()).collect();
    let text = response.text().await.unwrap();
    (
        status,
        text.contains(KEY),
        (!challenges.is_empty()).then(|| challenges.join(", ")),
    )
}

#[tokio::test]
async fn control_surface_is_closed_to_others() {
    let (own, http) = (own_address(), http());
    let (process, port) = listening_everywhere(&["--access-key", KEY]).await;
    assert_eq!(
        keys_from(&http, Ipv4Addr::LOCALHOST.into(), port, None).await,
        (200, true, None)
    );
    for authorization in [
        None,
        Some("Bearer x"),
        Some("Bearer "),
        Some("Bearer"),
        Some("Basic Og=="),
    ] {
        let (status, leaks, challenge) = keys_from(&http, own, port, authorization).await;
        assert_eq!(
            (status, leaks, challenge.as_deref()),
            (401, false, Some("Bearer")),
            "{authorization:?}"
        );
    }
    for path in ["", "page.js", "resource", "requests", "keys", "tokens", "nothing"] {
        let response = http
            .get(format!("http://{own}:{port}/_emulator/{path}"))
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 401, "{path}");
    }
    let minted = http
        .post(format!("http://{own}:{port}/_emulator/entra/tokens"))
        .send()
        .await
        .unwrap();
    assert_eq!(minted.status(), 401);
    // The service itself is open to all who have an access key.
    let origin = format!("http://{own}:{port}");
    Client {
        origin,
        ..process.client()
    }
    .create()
    .await;
}

#[tokio::test]
async fn control_token_opens_it_from_elsewhere() {
    let (own, http) = (own_address(), http());
    let (process, port) = listening_everywhere(&["--access-key", KEY, "--control-token", TOKEN]).await;
    let basic = |user: &str, password: &str| format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")));
    for good in [
        format!("Bearer {TOKEN}"),
        format!("bearer  {TOKEN} "),
        basic("", TOKEN),
        basic("any", TOKEN),
    ] {
        assert_eq!(
            keys_from(&http, own, port, Some(&good)).await,
            (200, true, None),
            "{good}"
        );
    }
    for bad in [
        format!("Bearer {TOKEN}x"),
        format!("Bearer {}", &TOKEN[1..]),
        format!("Bearer {}", TOKEN.to_uppercase()),
        "Bearer ".to_owned(),
        TOKEN.to_owned(),
        basic(TOKEN, ""),
        basic("any", KEY),
        "Basic *".to_owned(),
    ] {
        let (status, leaks, challenge) = keys_from(&http, own, port, Some(&bad)).await;
        let expected = Some(r#"Bearer, Basic realm="ACS Identity emulator""#);
        assert_eq!((status, leaks, challenge.as_deref()), (401, false, expected), "{bad}");
    }
    // Loopback needs no token, and a wrong one there does not matter.
    for authorization in [None, Some("Bearer x")] {
        assert_eq!(
            keys_from(&http, Ipv4Addr::LOCALHOST.into(), port, authorization)
                .await
                .0,
            200
        );
    }
    // A page of another site is refused even with the token.
    let page = http
        .get(format!("http://{own}:{port}/_emulator/access-keys"))
        .bearer_auth(TOKEN);
    assert_eq!(
        Response::of(page.header("origin", "http://evil.example")).await.status,
        403
    );
    drop(process);
}

#[tokio::test]
async fn requests_that_a_proxy_forwards_need_the_token() {
    let emulator = start().await;
    for header in ["X-Forwarded-For: 10.0.0.1", "Forwarded: for=10.0.0.1"] {
        let request =
            format!("GET /_emulator/access-keys HTTP/1.1\r\nHost: localhost\r\n{header}\r\nConnection: close\r\n\r\n");
        let response = exchange(emulator.endpoint(), &request).await;
        assert!(response.starts_with("HTTP/1.1 401 "), "{header}: {response}");
        assert!(!response.contains(&emulator.access_key()), "{header}");
    }
}

#[tokio::test]
async fn control_token_is_read_from_a_file() {
    let (own, http) = (own_address(), http());
    let path = temporary("control-token");
    fs::write(&path, format!("{TOKEN}\r\n")).unwrap();
    let (process, port) = listening_everywhere(&["--control-token-file", path.to_str().unwrap()]).await;
    assert_eq!(
        keys_from(&http, own, port, Some(&format!("Bearer {TOKEN}"))).await.0,
        200
    );
    drop(process);
    fs::write(&path, " \n").unwrap();
    let refused = Process::spawn(&mut command(&["--control-token-file", path.to_str().unwrap()])).await;
    let Err(Ended { code, log, .. }) = refused else {
        panic!("it starts")
    };
    assert_eq!(code, Some(1));
    assert!(log.contains("the control token"), "{log}");
}

#[tokio::test]
async fn control_token_is_in_no_log() {
    let (own, http, encoded) = (own_address(), http(), BASE64_STANDARD.encode(format!("x:{TOKEN}")));
    let mut command = command(&["--host", "0.0.0.0", "--control-token", TOKEN, "--explain"]);
    let process = Process::spawn(command.env("RUST_LOG", "trace")).await.unwrap();
    let port = port(process.text("endpoint"));
    let mut shown = process.ready.to_string();
    for host in [own, Ipv4Addr::LOCALHOST.into()] {
        for path in [
            "/_emulator/resource".to_owned(),
            format!("/_emulator/{TOKEN}"),
            format!("/_emulator/resource?token={TOKEN}"),
            format!("/{TOKEN}"),
            format!("/{}{TOKEN}", "a".repeat(300 - TOKEN.len() / 2)),
            "/_emulator/requests".to_owned(),
        ] {
            let url = format!("http://{host}:{port}{path}");
            for authorization in [
                format!("Bearer {TOKEN}"),
                format!("Basic {encoded}"),
                format!("Bearer {TOKEN}x"),
            ] {
                let request = http.get(&url).header("authorization", authorization);
                shown += &request.send().await.unwrap().text().await.unwrap();
            }
        }
    }
    shown += &process.into_log().await;
    assert!(shown.contains("/_emulator/[hidden]"));
    for line in shown.split(['\n', '{']) {
        assert!(!line.contains(TOKEN) && !line.contains(&encoded), "{line}");
    }
}

#[tokio::test]
async fn health_is_answered_to_all() {
    let own = own_address();
    let (process, port) = listening_everywhere(&["--control-token", TOKEN]).await;
    for host in [own, Ipv4Addr::LOCALHOST.into()] {
        for headers in [
            "Host: a",
            "Host: evil.example\r\nOrigin: http://evil.example\r\nSec-Fetch-Site: cross-site",
        ] {
            let request = format!("GET /_emulator/health HTTP/1.1\r\n{headers}\r\nConnection: close\r\n\r\n");
            let endpoint = format!("http://{host}:{port}/");
            let response = exchange(&endpoint, &request).await;
            assert!(response.starts_with("HTTP/1.1 200 "), "{response}");
            assert!(!response.to_ascii_lowercase().contains("access-control-"), "{response}");
            let (_, body) = response.split_once("\r\n\r\n").unwrap();
            let health: Value = serde_json::from_str(body).unwrap();
            assert_eq!(health["status"], "ready");
            assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
        }
    }
    drop(process);
}

#[tokio::test]
async fn health_command_exits_with_the_outcome() {
    let process = Process::start(&[]).await;
    let endpoint = process.text("endpoint").to_owned();
    let control = process.text("controlEndpoint").to_owned();
    let localhost = format!("localhost:{}", port(&endpoint));
    let run = async |url: &str| {
        let output = command(&["health", url]).output().await.unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), output.stdout.len(), text)
    };
    for url in [
        endpoint.clone(),
        endpoint.trim_end_matches('/').to_owned(),
        control.clone(),
        format!("{control}health"),
        format!("http://{localhost}"),
        endpoint.replace("127.0.0.1", "[::1]"),
    ] {
        assert_eq!(run(&url).await, (Some(0), 0, String::new()), "{url}");
    }
    let https = process.text("httpsEndpoint").to_owned();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", other.local_addr().unwrap());
    drop(other);
    process.into_log().await;
    for (url, reason) in [
        (endpoint.as_str(), "does not respond"),
        (&closed, "does not respond"),
        (&https, "http://"),
        ("nonsense", "http://"),
        ("http://user:secret@127.0.0.1/", "http://"),
    ] {
        let (code, stdout, log) = run(url).await;
        assert_eq!((code, stdout, log.lines().count()), (Some(1), 0, 1), "{url}: {log}");
        assert!(
            log.starts_with("error: ") && log.contains(reason) && !log.contains("secret"),
            "{url}: {log}"
        );
    }
}

#[tokio::test]
async fn health_command_refuses_other_servers() {
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", other.local_addr().unwrap());
    let served = thread::spawn(move || {
        let (mut stream, _) = other.accept().unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).unwrap();
        stream
            .write_all(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
            .unwrap();
        String::from_utf8_lossy(&request[..read]).into_owned()
    });
    let output = command(&["health", &url]).output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("503"));
    assert!(served.join().unwrap().starts_with("GET /_emulator/health HTTP/1.1\r\n"));
}

#[tokio::test]
async fn bad_hosts_and_names_are_one_line() {
    for (arguments, reason) in [
        (["--host", "localhost"], "an IP address"),
        (["--host", "0.0.0.0:80"], "an IP address"),
        (["--host", "203.0.113.1"], "cannot listen on 203.0.113.1:"),
        (["--name", ""], "a host name or an IP address"),
        (["--name", "http://emulator"], "a host name or an IP address"),
        (["--name", "emulator:80"], "a host name or an IP address"),
        (["--name", "a b"], "a host name or an IP address"),
        (["--name", "*.emulator"], "a host name or an IP address"),
        (["--advertise", "0.0.0.0"], "clients cannot reach 0.0.0.0"),
        (["--advertise", "a/b"], "a host name or an IP address"),
        (["--control-token", ""], "the control token"),
        (["--control-token", "se cret"], "the control token"),
        (["--control-token-file", "/nowhere/at/all"], "/nowhere/at/all"),
    ] {
        let Err(Ended { code, stdout, log }) = Process::spawn(&mut command(&arguments)).await else {
            panic!("it starts with {arguments:?}");
        };
        assert_eq!(
            (code, stdout.len(), log.lines().count()),
            (Some(1), 0, 1),
            "{arguments:?}: {log}"
        );
        assert!(
            log.starts_with("error: ") && log.contains(reason),
            "{arguments:?}: {log}"
        );
        assert!(!log.contains("se cret"), "{log}");
    }
}
