//! Configurations that are refused.

use crate::process::{command, directory, soon};
use std::fs;

/// The least that a configuration needs, to be followed by sections other than these.
pub(crate) const LEAST: &str = r#"
[acs]
connection_string = "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0"
[issuer]
kind = "oidc"
url = "https://login.contoso.com"
audience = "https://api.contoso.com"
"#;

/// Runs the service with this file and these variables, and returns the faults that it prints.
pub(crate) async fn faults(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let directory = directory();
    let path = directory.join("service.toml");
    fs::write(&path, text).unwrap();
    let mut command = command(&["--config".as_ref(), path.as_os_str()]);
    let command = command.current_dir(&directory).envs(variables.iter().copied());
    // A service that starts does not end.
    let output = soon(text, command.output()).await.unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{text}: {variables:?}: {log}");
    assert_eq!(output.stdout, b"");
    let mut lines = log.lines();
    assert_eq!(
        lines.next(),
        Some("error: the configuration cannot be used, and nothing was started:")
    );
    lines.map(|line| line.strip_prefix("  ").unwrap().to_owned()).collect()
}

/// Returns the keys or variables of faults.
pub(crate) fn faults_of(faults: &[String]) -> Vec<String> {
    let subjects = faults.iter().map(|fault| fault.split_once(": ").unwrap().0.to_owned());
    subjects.collect()
}
