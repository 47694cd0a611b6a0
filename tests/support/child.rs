//! Tests that need an environment of their own.

use std::{
    env,
    process::{Command, Stdio},
};

/// Names the test that a child process runs.
const TEST: &str = "TEST_OF_CHILD_PROCESS";

const PROXIES: [&str; 7] = [
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "no_proxy",
];

/// The variables of a machine without CA certificates.
pub(crate) const NO_CERTIFICATES: [(&str, Option<&str>); 2] = [
    ("SSL_CERT_FILE", Some("/dev/null")),
    ("SSL_CERT_DIR", Some("/nonexistent")),
];

/// Returns whether this process was started for a test, without proxies. Otherwise it runs the test, by its full name, in
/// such a child process, with these variables; those without a value are removed.
pub(crate) fn is_child(test: &str, variables: &[(&str, Option<&str>)]) -> bool {
    if env::var(TEST).is_ok_and(|name| name == test) {
        return true;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    for proxy in PROXIES {
        child.env_remove(proxy);
    }
    for (name, value) in variables {
        match value {
            Some(value) => child.env(name, value),
            None => child.env_remove(name),
        };
    }
    let output = child
        .env("NO_PROXY", "*")
        .env(TEST, test)
        .args(["--exact", test])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && stdout.contains("1 passed"), "{stdout}");
    false
}
