//! A system without CA certificates.

use crate::{
    process::{Ended, Process, command, directory},
    support::http,
};
use std::{ffi::OsStr, fs, path::Path};
use tokio::process::Command;

const REMEDY: &str = "install the CA certificates of the system, such as Debian's ca-certificates";
const CONNECTION_STRING: &str = "connection_string = 'endpoint=https://contoso.com;accesskey=c2VjcmV0'";
const ENTRA: &str = "endpoint = 'https://contoso.communication.azure.com'";
const ISSUER: &str = "[issuer]\nkind = 'oidc'\nurl = 'https://login.contoso.com'\naudience = 'https://api.contoso.com'";
const SIDECAR: &str = "credential = 'sidecar'\nsidecar_api = 'Acs'";

/// Returns the command of a service whose environment hides the CA certificates.
fn without_certificates(arguments: &[&OsStr]) -> Command {
    let mut command = command(arguments);
    command
        .env("SSL_CERT_FILE", "/nonexistent")
        .env("SSL_CERT_DIR", "/nonexistent")
        .env("AZURE_TENANT_ID", "aaaabbbb-0000-cccc-1111-dddd2222eeee")
        .env("AZURE_CLIENT_ID", "00001111-aaaa-2222-bbbb-3333cccc4444")
        .env("AZURE_FEDERATED_TOKEN_FILE", file!())
        .env("RUST_BACKTRACE", "0");
    command
}

/// Runs a service that cannot start.
async fn ended(directory: &Path, configuration: &str) -> Ended {
    let path = directory.join("service.toml");
    fs::write(&path, configuration).unwrap();
    let mut command = without_certificates(&[OsStr::new("--config"), path.as_os_str()]);
    let ended = Process::spawn(command.current_dir(directory)).await;
    let ended = ended.err().unwrap_or_else(|| panic!("it runs: {configuration}"));
    assert_eq!(ended.stdout, "", "{configuration}");
    assert!(!ended.log.contains("panicked"), "{configuration}: {ended:?}");
    let files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(files, ["service.toml"], "{configuration}");
    ended
}

#[tokio::test]
async fn missing_certificates_are_one_line_with_the_remedy() {
    let directory = directory();
    for (acs, more) in [
        (CONNECTION_STRING.to_owned(), ""),
        (
            CONNECTION_STRING.replace("https://contoso.com", "http://127.0.0.1:1"),
            "",
        ),
        (format!("{ENTRA}\ncredential = 'managed_identity'"), ""),
        (format!("{ENTRA}\ncredential = 'workload_identity'"), ""),
        (
            format!("{ENTRA}\ncredential = 'client_secret'"),
            "[application]\ntenant_id = 'aaaabbbb-0000-cccc-1111-dddd2222eeee'\n\
             client_id = '00001111-aaaa-2222-bbbb-3333cccc4444'\nclient_secret = 'c2VjcmV0'",
        ),
        (
            format!("{ENTRA}\n{SIDECAR}"),
            "[sidecar]\nurl = 'http://localhost:5000'",
        ),
        (
            format!("{ENTRA}\n{SIDECAR}"),
            "[sidecar]\nurl = 'https://sidecar:5001'\nallow_any_host = true",
        ),
        (
            CONNECTION_STRING.to_owned(),
            "[sidecar]\nurl = 'https://sidecar:5001'\nallow_any_host = true",
        ),
    ] {
        let configuration = format!("listen = '127.0.0.1:0'\n[acs]\n{acs}\n{ISSUER}\n{more}\n");
        let ended = ended(&directory, &configuration).await;
        assert_eq!(ended.code, Some(1), "{configuration}: {ended:?}");
        let lines: Vec<_> = ended.log.lines().collect();
        assert_eq!(lines.len(), 1, "{configuration}: {ended:?}");
        assert!(lines[0].starts_with("error: "), "{configuration}: {ended:?}");
        assert!(lines[0].contains(REMEDY), "{configuration}: {ended:?}");
        assert!(lines[0].contains("No CA certificates"), "{configuration}: {ended:?}");
    }
}

#[tokio::test]
async fn faults_of_the_configuration_come_first() {
    let directory = directory();
    let configuration = format!(
        "[acs]\n{CONNECTION_STRING}\nqueue = -1\n{ISSUER}\n[sidecar]\nurl = 'https://sidecar:5001'\n[limits]\n\
         body_bytes = 0\n"
    );
    let ended = ended(&directory, &configuration).await;
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(!ended.log.contains(REMEDY), "{ended:?}");
    let lines = ended.log.lines().skip(1);
    let mut subjects: Vec<_> = lines.map(|line| line.trim().split_once(':').unwrap().0).collect();
    subjects.sort_unstable();
    assert_eq!(subjects, ["acs.queue", "limits.body_bytes", "sidecar.url"]);
}

#[tokio::test]
async fn service_without_configuration_needs_no_certificates() {
    let service = Process::spawn(&mut without_certificates(&[])).await.unwrap();
    let token = http().get(format!("{}?user=alice", service.text("tokenEndpoint")));
    let token = token.send().await.unwrap().text().await.unwrap();
    let request = http().post(service.url("api/user")).bearer_auth(token);
    assert_eq!(request.send().await.unwrap().status(), 201);
}
