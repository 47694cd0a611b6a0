//! The emulator as a process.

use crate::{
    client::{Client, decode},
    signer::{ToSign, now},
};
use reqwest::Certificate;
use serde_json::Value;
use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::PathBuf,
    process::{Output, Stdio},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";
const RESOURCE: &str = "11111111-1111-1111-1111-111111111111";

pub(crate) struct Process {
    child: Child,
    ready: Value,
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_acs-identity-emulator"));
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

impl Process {
    async fn start(arguments: &[&str]) -> Self {
        Self::spawn(&mut command(arguments)).await
    }

    /// Starts the emulator and reads its first line.
    pub(crate) async fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).await.unwrap();
        child.stdout = Some(stdout.into_inner());
        Self {
            child,
            ready: serde_json::from_str(&line).unwrap(),
        }
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.ready[name].as_str().unwrap()
    }

    pub(crate) fn client(&self, endpoint: &str, http: reqwest::Client) -> Client {
        let origin = self.text(endpoint).trim_end_matches('/').to_owned();
        let access_key = self
            .text("connectionString")
            .split_once(";accesskey=")
            .unwrap()
            .1
            .to_owned();
        Client {
            http,
            origin,
            access_key,
        }
    }

    /// Sends a signal and gives the exit code and what was printed since the first line.
    pub(crate) async fn stop(mut self, signal: &str) -> (Option<i32>, String, String) {
        let id = self.child.id().unwrap().to_string();
        assert!(
            std::process::Command::new("kill")
                .args([signal, &id])
                .status()
                .unwrap()
                .success()
        );
        let (mut stdout, mut stderr) = (String::new(), String::new());
        self.child
            .stdout
            .take()
            .unwrap()
            .read_to_string(&mut stdout)
            .await
            .unwrap();
        self.child
            .stderr
            .take()
            .unwrap()
            .read_to_string(&mut stderr)
            .await
            .unwrap();
        (self.child.wait().await.unwrap().code(), stdout, stderr)
    }
}

/// A path in the temporary directory that no other test has.
fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[tokio::test]
async fn it_announces_itself_serves_and_ends_when_told() {
    let ca = temporary("ca.pem");
    let arguments = [
        "--access-key",
        KEY,
        "--resource-id",
        RESOURCE,
        "--ca-out",
        ca.to_str().unwrap(),
    ];
    let process = Process::start(&arguments).await;
    assert_eq!(process.text("event"), "ready");
    let (endpoint, https_endpoint) = (process.text("endpoint"), process.text("httpsEndpoint"));
    assert_eq!(
        process.text("connectionString"),
        format!("endpoint={endpoint};accesskey={KEY}")
    );
    assert_eq!(
        process.text("httpsConnectionString"),
        format!("endpoint={https_endpoint};accesskey={KEY}")
    );
    assert_eq!(process.text("controlEndpoint"), format!("{endpoint}_emulator/"));
    assert_eq!(process.ready.as_object().unwrap().len(), 6);

    let id = process.client("endpoint", reqwest::Client::new()).create().await;
    assert!(id.starts_with(&format!("8:acs:{RESOURCE}_")), "{id}");
    let ca = Certificate::from_pem(&fs::read(ca).unwrap()).unwrap();
    let trusting = reqwest::Client::builder().tls_certs_only([ca]).build().unwrap();
    let token = process.client("httpsEndpoint", trusting).issue_chat(&id).await;
    assert_eq!(decode(&token, 0)["alg"], "RS256");

    let (code, stdout, log) = process.stop("-TERM").await;
    assert_eq!((code, stdout.as_str()), (Some(0), ""));
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(
        lines[0].ends_with(r#"method=POST path="/identities" status=201"#),
        "{log}"
    );
    assert!(!log.contains(KEY) && !log.contains(&token), "{log}");
}

#[tokio::test]
async fn its_options_reach_the_emulator() {
    let process = Process::start(&["--token-algorithm", "ES256", "--strict", "--accept-unverified-bearer"]).await;
    let client = process.client("endpoint", reqwest::Client::new());
    let token = client.issue_chat(&client.create().await).await;
    assert_eq!(decode(&token, 0)["alg"], "ES256");
    let (code, ..) = process.stop("-INT").await;
    assert_eq!(code, Some(0));
}

#[tokio::test]
async fn it_warns_of_a_body_that_it_ignores() {
    let process = Process::start(&[]).await;
    let client = process.client("endpoint", reqwest::Client::new());
    let mut request = client
        .signed("POST", "/identities?api-version=2023-10-01", "{}")
        .build()
        .unwrap();
    request
        .headers_mut()
        .insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(client.http.execute(request).await.unwrap().status(), 201);
    let (.., log) = process.stop("-TERM").await;
    assert!(
        log.contains(" WARN ") && log.contains("its Content-Type is not application/json"),
        "{log}"
    );
}

#[tokio::test]
async fn a_raw_request_as_curl_sends_it_is_answered() {
    let process = Process::start(&[]).await;
    let client = process.client("endpoint", reqwest::Client::new());
    let date = now();
    let target = "/identities?api-version=2023-10-01";
    let to_sign = ToSign {
        method: "POST",
        target,
        host: client.host(),
        date: &date,
        body: b"{}",
    };
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nx-ms-date: {date}\r\n\
         x-ms-content-sha256: {}\r\nAuthorization: {}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}",
        client.host(),
        to_sign.content_hash(),
        to_sign.authorization(&client.access_key),
    );
    let mut stream = TcpStream::connect(client.host()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"}}") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0);
    }
    assert!(answer.starts_with(b"HTTP/1.1 201 Created\r\n"));
    // An idle connection does not keep it from ending.
    assert_eq!(process.stop("-TERM").await.0, Some(0));
}

#[tokio::test]
async fn what_keeps_it_from_starting_is_one_line() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let nowhere = temporary("missing/ca.pem");
    for (arguments, reason) in [
        (["--port", &port], format!("cannot listen on 127.0.0.1:{port}")),
        (["--https-port", &port], format!("cannot listen on 127.0.0.1:{port}")),
        (["--port", "65536"], "--port".to_owned()),
        (
            ["--ca-out", nowhere.to_str().unwrap()],
            format!("cannot write {}", nowhere.display()),
        ),
        (["--access-key", "secret"], "the access key is not base64".to_owned()),
        (["--resource-id", "x"], "--resource-id".to_owned()),
        (["--token-algorithm", "HS256"], "RS256 or ES256".to_owned()),
        (["--unknown", "x"], "--unknown".to_owned()),
    ] {
        let Output { status, stdout, stderr } = command(&arguments).output().await.unwrap();
        let stderr = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "{arguments:?}");
        assert_eq!(
            (stdout.len(), stderr.lines().count()),
            (0, 1),
            "{arguments:?}: {stderr}"
        );
        assert!(stderr.starts_with("error: ") && stderr.contains(&reason), "{stderr}");
        assert!(!stderr.contains("secret"), "{stderr}");
    }
}

#[tokio::test]
async fn help_and_version_are_not_errors() {
    for (argument, part) in [("--help", "--https-port <N>"), ("--version", env!("CARGO_PKG_VERSION"))] {
        let output = command(&[argument]).output().await.unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(part), "{argument}");
    }
}
