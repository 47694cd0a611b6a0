//! The client of the sidecar that the environment names.

use entra_sidecar::SidecarClient;
use std::{
    env::current_exe,
    process::{Command, Stdio},
};

/// The result that a child process with this environment prints.
fn base_url_with(variable: Option<&str>) -> String {
    let mut command = Command::new(current_exe().unwrap());
    command
        .args(["--exact", "environment::base_url", "--ignored", "--nocapture"])
        .env_remove("SIDECAR_URL")
        .stdin(Stdio::null());
    if let Some(value) = variable {
        command.env("SIDECAR_URL", value);
    }
    let child = command.output().unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && output.contains("1 passed"), "{output}");
    let (_, result) = output.split_once("base URL: ").unwrap();
    result.lines().next().unwrap().to_owned()
}

#[test]
#[ignore = "needs its own environment"]
#[allow(clippy::print_stdout, reason = "the parent reads it")]
fn base_url() {
    match SidecarClient::from_env(None) {
        Ok(client) => println!("base URL: {}", client.base_url()),
        Err(error) => println!("base URL: {error}"),
    }
    // The constructor that names its sidecar does not read the variable.
    let named = SidecarClient::new("http://127.0.0.1:7", None).unwrap();
    assert_eq!(named.base_url().as_str(), "http://127.0.0.1:7/");
}

#[test]
fn environment_names_the_sidecar() {
    assert_eq!(base_url_with(Some("http://localhost:5178/")), "http://localhost:5178/");
    for absent in [None, Some(""), Some(" ")] {
        assert_eq!(base_url_with(absent), "http://localhost:5000/");
    }
    for refused in [
        "localhost:5000",
        "http://SECRET@localhost",
        "https://sidecar.contoso.com",
    ] {
        let text = base_url_with(Some(refused));
        assert!(text.starts_with("invalid SIDECAR_URL: "), "{text}");
        assert!(!text.contains("SECRET") && !text.contains("contoso"), "{text}");
    }
}
