//! The command line, and failures at startup.

use crate::{
    process::{Process, command, directory},
    setup::Setup,
};
use std::{ffi::OsStr, fs, net::TcpListener};

#[tokio::test]
async fn help_names_the_option_and_the_variables() {
    let output = command(&[OsStr::new("--help")]).output().await.unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{help}");
    for part in [
        "--config <PATH>",
        "--local",
        "[env: TOKEN_SERVICE_CONFIG]",
        "TOKEN_SERVICE_LIMITS_BODY_BYTES",
        "SIGTERM",
        "SIGHUP",
    ] {
        assert!(help.contains(part), "{help}");
    }
}

#[tokio::test]
async fn faults_are_printed_and_nothing_is_started() {
    let directory = directory();
    let path = directory.join("service.toml");
    fs::write(
        &path,
        "listen = '127.0.0.1:0'\n[acs]\nconnection_string = 'endpoint=https://contoso.com'\n[database]\n\
         url = 'sqlite://users.db?mode=rwc'\n[issuer]\nkind = 'oidc'\nurl = 'http://login.contoso.com'\n",
    )
    .unwrap();
    let mut command = command(&[OsStr::new("--config"), path.as_os_str()]);
    command.current_dir(&directory).env("TOKEN_SERVICE_LIMITS_BODY", "1");
    let ended = Process::spawn(&mut command).await.err().unwrap();
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let lines: Vec<_> = ended.log.lines().collect();
    assert_eq!(
        lines[0],
        "error: the configuration cannot be used, and nothing was started:"
    );
    let mut subjects: Vec<_> = lines[1..]
        .iter()
        .map(|line| line.trim_start().split_once(':').unwrap().0)
        .collect();
    subjects.sort_unstable();
    assert_eq!(
        subjects,
        [
            "TOKEN_SERVICE_LIMITS_BODY",
            "acs.connection_string",
            "issuer.audience",
            "issuer.url"
        ]
    );
    let files: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(files, ["service.toml"]);
}

#[tokio::test]
async fn taken_address_fails_before_the_database() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let directory = directory();
    let mut command = command(&[]);
    command
        .current_dir(&directory)
        .env("TOKEN_SERVICE_LISTEN", &address)
        .env(
            "TOKEN_SERVICE_ACS_CONNECTION_STRING",
            "endpoint=https://contoso.com;accesskey=c2VjcmV0",
        )
        .env("TOKEN_SERVICE_ISSUER_KIND", "oidc")
        .env("TOKEN_SERVICE_ISSUER_URL", "https://login.contoso.com")
        .env("TOKEN_SERVICE_ISSUER_AUDIENCE", "https://api.contoso.com");
    let ended = Process::spawn(&mut command).await.err().unwrap();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert!(
        ended.log.starts_with(&format!("error: cannot listen on {address}: ")),
        "{ended:?}"
    );
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
}

#[tokio::test]
async fn database_failure_says_why() {
    let setup = Setup::new().await;
    let path = setup.directory.join("service.toml");
    let database = "[database]\nurl = 'sqlite://missing/users.db?mode=rwc'";
    fs::write(&path, setup.configuration("", database)).unwrap();
    let mut command = command(&[OsStr::new("--config"), path.as_os_str()]);
    let ended = Process::spawn(command.current_dir(&setup.directory))
        .await
        .err()
        .unwrap();
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(ended.stdout, "");
    let last = ended.log.lines().last().unwrap();
    assert!(last.starts_with("error: the store could not "), "{ended:?}");
    assert!(last.contains("unable to open database file"), "{ended:?}");
}

#[tokio::test]
async fn refused_database_connection_says_so() {
    let setup = Setup::new().await;
    let free = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap();
    let path = setup.directory.join("service.toml");
    let database = format!("[database]\nurl = 'postgres://app:c2VjcmV0@{free}/users'");
    fs::write(&path, setup.configuration("", &database)).unwrap();
    let mut command = command(&[OsStr::new("--config"), path.as_os_str()]);
    let mut process = Process::begin(&mut command);
    // The database can still come.
    for _ in 0..2 {
        let line = process.logged("the database is not there yet").await;
        assert!(
            line.contains("Connection refused") && !line.contains("c2VjcmV0"),
            "{line}"
        );
    }
    process.signal("-TERM").await;
    let ended = process.ended().await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(!ended.log.contains("c2VjcmV0"), "{ended:?}");
}
