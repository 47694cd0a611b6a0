//! Tests of the default transport, which takes its settings from the environment.

use std::{env, process::Command};

const WITHOUT_PROXIES: &str = "*";

/// Returns whether this process has no proxies in its environment. Otherwise it runs a test, by its full name, in one that
/// has none.
pub(crate) fn alone(test: &str) -> bool {
    alone_with(test, &[])
}

/// As [`alone`], with variables of the test's own.
pub(crate) fn alone_with(test: &str, variables: &[(&str, &str)]) -> bool {
    if env::var("NO_PROXY").is_ok_and(|hosts| hosts == WITHOUT_PROXIES) {
        return true;
    }
    let mut child = Command::new(env::current_exe().unwrap());
    child.envs(variables.iter().copied());
    for proxy in [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "no_proxy",
    ] {
        child.env_remove(proxy);
    }
    let output = child
        .env("NO_PROXY", WITHOUT_PROXIES)
        .args(["--exact", test])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}
