//! The binary: its options, its output and its end.

use crate::{
    client::{Response, VERSION, decode, start},
    process::{BINARY, Ended, Process, command, piped, temporary},
    signer::{KEY, ToSign, now},
};
use acs_identity_emulator::EntraTokenRequest;
use serde_json::json;
use std::net::{Ipv4Addr, TcpListener};

const RESOURCE: &str = "11111111-1111-1111-1111-111111111111";

#[tokio::test]
async fn ready_line_names_both_endpoints() {
    let (process, ca_pem) = Process::start_with_ca(&["--access-key", KEY, "--resource-id", RESOURCE]).await;
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

    let id = process.client().create().await;
    assert!(id.starts_with(&format!("8:acs:{RESOURCE}_")), "{id}");
    let https = process.https_client(&ca_pem);
    let token = https.issue_chat(&id).await;
    assert_eq!(decode(&token, 0)["alg"], "RS256");

    let page = process.text("controlEndpoint").to_owned();
    let log = process.into_log().await;
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(lines[0].ends_with(&page), "{log}");
    assert!(
        lines[1].ends_with(r#"method=POST path="/identities" status=201"#),
        "{log}"
    );
    assert!(!log.contains(KEY) && !log.contains(&token), "{log}");
}

#[tokio::test]
async fn given_ports_are_used() {
    // Another process can take a port before the emulator does.
    for _ in 0..10 {
        let free = [(); 2].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
        let [port, https_port] = free.map(|listener| listener.local_addr().unwrap().port().to_string());
        let mut command = command(&["--port", &port, "--https-port", &https_port]);
        let Ok(process) = Process::spawn(&mut command).await else {
            continue;
        };
        assert_eq!(process.text("endpoint"), format!("http://127.0.0.1:{port}/"));
        assert_eq!(
            process.text("httpsEndpoint"),
            format!("https://127.0.0.1:{https_port}/")
        );
        process.client().create().await;
        return;
    }
    panic!("it listens on none of ten free ports");
}

#[tokio::test]
async fn strict_and_unverified_bearer_are_options() {
    let target = format!("/identities{VERSION}");
    let foreign = start()
        .await
        .mint_entra_token(&EntraTokenRequest::service())
        .await
        .unwrap();
    for (arguments, as_java_signs, foreign_bearer) in [
        (&[][..], 201, 401),
        (&["--strict"], 401, 401),
        (&["--accept-unverified-bearer"], 201, 201),
    ] {
        let (process, ca_pem) = Process::start_with_ca(arguments).await;

        let without_port = ToSign {
            method: "POST",
            target: &target,
            host: "127.0.0.1",
            date: &now(),
            body: b"",
        };
        let response = Response::of(process.client().signed_as(&without_port)).await;
        assert_eq!(response.status, as_java_signs, "{arguments:?}");

        let bearer = process
            .https_client(&ca_pem)
            .unsigned("POST", &target, "")
            .bearer_auth(&foreign.token);
        assert_eq!(Response::of(bearer).await.status, foreign_bearer, "{arguments:?}");
    }
}

#[tokio::test]
async fn token_algorithm_is_an_option() {
    let process = Process::start(&["--token-algorithm", "ES256"]).await;
    let client = process.client();
    let token = client.issue_chat(&client.create().await).await;
    assert_eq!(decode(&token, 0)["alg"], "ES256");
}

#[tokio::test]
async fn ignored_body_is_warned_of() {
    let process = Process::start(&[]).await;
    let client = process.client();
    let mut request = client
        .signed("POST", &format!("/identities{VERSION}"), "{}")
        .build()
        .unwrap();
    request
        .headers_mut()
        .insert("content-type", "text/plain".parse().unwrap());
    assert_eq!(client.http.execute(request).await.unwrap().status(), 201);
    let log = process.into_log().await;
    assert!(
        log.contains(" WARN ") && log.contains("its Content-Type is not application/json"),
        "{log}"
    );
}

#[tokio::test]
async fn faults_and_settings_are_options() {
    let process = Process::start(&[
        "--fault",
        "status=503,retry-after=2,times=1",
        "--fault",
        "latency=1ms,times=1",
        "--fault",
        "reset-before-commit,operation=deleteIdentity",
        "--fault",
        "status=503,code=Busy,after-commit,operation=revokeTokens",
        "--clock-offset",
        "-60",
        "--revocation-delay",
        "900",
        "--withdraw-version",
        "2021-03-07",
        "--withdraw-version",
        "2025-03-02-preview",
    ])
    .await;
    let client = process.client();
    let target = format!("/identities{VERSION}");
    let response = client.send("POST", &target, "").await;
    assert_eq!((response.status, response.header("retry-after")), (503, Some("2")));
    let id = client.create().await;
    let deletion = client.signed("DELETE", &format!("/identities/{id}{VERSION}"), "");
    deletion.send().await.unwrap_err();
    assert_eq!(client.revoke(&id).await.text("/error/code"), "Busy");

    let get = async |path| Response::of(client.unsigned("GET", path, "")).await.body;
    let settings = get("/_emulator/settings").await;
    let expected = json!({
        "clockOffsetSeconds": -60,
        "revocationDelaySeconds": 900,
        "withdrawnVersions": ["2021-03-07", "2025-03-02-preview"],
    });
    assert_eq!(settings, expected);
    let faults = get("/_emulator/faults").await;
    let expected = json!({"faults": [
        {"id": 1, "effect": "status", "status": 503, "retryAfterSeconds": 2, "times": 1, "hits": 1, "remaining": 0},
        {"id": 2, "effect": "latency", "milliseconds": 1, "times": 1, "hits": 1, "remaining": 0},
        {"id": 3, "effect": "resetBeforeCommit", "operation": "deleteIdentity", "hits": 1},
        {
            "id": 4,
            "effect": "status",
            "status": 503,
            "code": "Busy",
            "afterCommit": true,
            "operation": "revokeTokens",
            "hits": 1,
        },
    ]});
    assert_eq!(faults, expected);

    let log = process.into_log().await;
    let lines: Vec<_> = log.lines().collect();
    let ends = [
        "/_emulator/".to_owned(),
        r#"status=503 fault="status=503,retry-after=2,times=1; latency=1ms,times=1" code="ServiceUnavailable""#
            .to_owned(),
        "status=201".to_owned(),
        format!(r#"method=DELETE path="/identities/{id}" fault="reset-before-commit,operation=deleteIdentity""#),
        r#"status=503 fault="status=503,code=Busy,after-commit,operation=revokeTokens" code="Busy" reason=the operation's response was not sent: 204"#.to_owned(),
    ];
    assert_eq!(lines.len(), ends.len(), "{log}");
    for (line, end) in lines.iter().zip(ends) {
        assert!(line.ends_with(&end), "{line}");
    }
}

#[tokio::test]
async fn failure_to_start_is_one_line() {
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
        (
            ["--access-key", "secret"],
            "the access key is not padded base64".to_owned(),
        ),
        (["--resource-id", "x"], "--resource-id".to_owned()),
        (["--token-algorithm", "HS256"], "RS256 or ES256".to_owned()),
        (["--fault", "status=200"], "give one from 400 to 599".to_owned()),
        (["--fault", "explode"], "begin with status=N, ".to_owned()),
        (
            ["--fault", "status=503,code="],
            "1 to 100 printable ASCII characters".to_owned(),
        ),
        (["--clock-offset", "-3153600001"], "--clock-offset".to_owned()),
        (["--revocation-delay", "soon"], "--revocation-delay".to_owned()),
        (
            ["--withdraw-version", "x"],
            "name one of 2021-03-07, 2022-06-01".to_owned(),
        ),
        (["--unknown", "x"], "--unknown".to_owned()),
    ] {
        let Err(Ended { code, stdout, log }) = Process::spawn(&mut command(&arguments)).await else {
            panic!("it starts with {arguments:?}");
        };
        assert_eq!(
            (code, stdout.len(), log.lines().count()),
            (Some(1), 0, 1),
            "{arguments:?}: {log}"
        );
        assert!(log.starts_with("error: ") && log.contains(&reason), "{log}");
        assert!(!log.contains("secret"), "{log}");
    }
}

#[tokio::test]
async fn help_and_version_are_not_errors() {
    for (argument, part) in [
        ("--help", "--https-port <N>"),
        ("--help", "--explain"),
        ("--help", "--fault <TEXT>"),
        ("--help", "after-commit"),
        ("--help", "--clock-offset <SECONDS>"),
        ("--help", "--revocation-delay <SECONDS>"),
        ("--help", "--withdraw-version <VERSION>"),
        ("--help", "reset-after-commit"),
        ("--help", "deleteEntraAssignment"),
        ("--help", "2026-09-23"),
        ("--version", env!("CARGO_PKG_VERSION")),
    ] {
        let output = command(&[argument]).output().await.unwrap();
        assert!(output.status.success());
        assert!(String::from_utf8(output.stdout).unwrap().contains(part), "{argument}");
    }
}

#[cfg(unix)]
mod signals {
    use super::*;
    use crate::wire::{begin_upload, rest};
    use tokio::io::AsyncWriteExt;

    #[tokio::test]
    async fn signal_ends_it_despite_idle_connections() {
        for signal in ["-INT", "-TERM"] {
            let process = Process::start(&[]).await;
            let client = process.client();
            client.create().await;
            process.signal(signal).await;
            let ended = process.ended().await;
            assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""), "{signal}");
            assert!(!ended.log.contains("cut off"), "{}", ended.log);
            drop(client);
        }
    }

    #[tokio::test]
    async fn first_signal_lets_a_request_finish() {
        let mut process = Process::start(&[]).await;
        let mut upload = begin_upload(process.client().host()).await;
        process.signal("-TERM").await;
        process.logged("shutting down").await;
        upload.write_all(b"{}").await.unwrap();
        assert!(rest(&mut upload).await.starts_with("HTTP/1.1 200 OK\r\n"));
        assert_eq!(process.ended().await.code, Some(0));
    }

    #[tokio::test]
    async fn second_signal_ends_it_at_once() {
        for (first, second) in [("-TERM", "-TERM"), ("-INT", "-TERM"), ("-TERM", "-INT")] {
            let mut process = Process::start(&[]).await;
            let upload = begin_upload(process.client().host()).await;
            process.signal(first).await;
            process.logged("a second signal ends the emulator at once").await;
            process.signal(second).await;
            let ended = process.ended().await;
            // The emulator logs it after the whole timeout of a shutdown.
            assert_eq!(
                (ended.code, ended.log.contains("cut off")),
                (Some(0), false),
                "{ended:?}"
            );
            drop(upload);
        }
    }
}

/// Returns the command of an emulator, after a script that redirects its output.
#[cfg(target_os = "linux")]
fn redirected(script: &str) -> tokio::process::Command {
    let script = format!("{script}; exec \"$0\"");
    let mut command = piped("sh", &["-c", &script, BINARY]);
    command.current_dir(temporary("")).env("RUST_BACKTRACE", "0");
    command
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn lost_output_is_no_panic() {
    let pipe = |output| format!("pipe=$(mktemp -u); mkfifo $pipe; true <$pipe & exec {output}>$pipe; wait; rm $pipe");
    for script in ["exec 2>/dev/full".to_owned(), pipe(2)] {
        let process = Process::spawn(&mut redirected(&script)).await.unwrap();
        // The first request has been logged when the second one arrives.
        for _ in 0..2 {
            process.client().create().await;
        }
    }
    for script in ["exec >/dev/full".to_owned(), pipe(1)] {
        let ended = Process::spawn(&mut redirected(&script)).await.err().unwrap();
        assert_eq!(ended.code, Some(1), "{script}: {ended:?}");
        assert!(!ended.log.contains("panicked"), "{script}: {ended:?}");
        let last = ended.log.lines().last().unwrap();
        assert!(
            last.starts_with("error: cannot print the ready line on stdout: "),
            "{ended:?}"
        );
    }
}
