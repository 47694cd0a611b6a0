//! Configurations from files and environments.

mod accepted;
mod documented;
mod refused;

use super::*;
use crate::logs::LogFormat;
use azure_communication_identity::CommunicationTokenScope as Scope;
use azure_core::time::Duration;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use std::{collections::HashMap, io, num::NonZeroU32, path::Path};
use token_service::RuleHolder;

const FILE: &str = "service.toml";
const CONNECTION_STRING: &str = "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0";
const SEALING_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const TENANT: &str = "aaaabbbb-0000-cccc-1111-dddd2222eeee";
const CLIENT: &str = "00001111-aaaa-2222-bbbb-3333cccc4444";

/// The least that a configuration needs, to be followed by sections other than these.
const LEAST: &str = r#"
[acs]
connection_string = "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0"
[issuer]
kind = "oidc"
url = "https://login.contoso.com"
audience = "https://api.contoso.com"
"#;

/// Reads a configuration file with these contents, if there are any, in an environment; `files` are the others.
fn read_with(
    text: Option<&str>,
    variables: &[(&str, &str)],
    files: &[(&str, &str)],
) -> Result<Option<Config>, Vec<String>> {
    let mut files: HashMap<_, _> = files.iter().copied().collect();
    if let Some(text) = text {
        files.insert(FILE, text);
    }
    let read_file = |path: &Path| match files.get(path.to_str().unwrap()) {
        Some(contents) => Ok(contents.as_bytes().to_vec()),
        None => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
    };
    let variables = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
    read(text.map(|_| FILE.into()), variables, &read_file)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

fn config(text: &str) -> Config {
    read_with(Some(text), &[], &[]).unwrap().unwrap()
}

fn faults(text: &str) -> Vec<String> {
    read_with(Some(text), &[], &[]).unwrap_err()
}

/// The only fault of the least configuration with something added.
fn fault_of(addition: &str) -> String {
    let faults = faults(&format!("{LEAST}\n{addition}"));
    assert_eq!(faults.len(), 1, "{addition}: {faults:#?}");
    faults[0].clone()
}

fn pair() -> (String, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}
