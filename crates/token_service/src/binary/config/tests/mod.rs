//! Configurations from files and environments. Those that are refused are among the tests of the binary.

mod accepted;
mod documented;

use super::*;
use crate::logs::LogFormat;
use azure_communication_identity::CommunicationTokenScope as Scope;
use azure_core::time::Duration;
use rcgen::{CertificateParams, CertifiedKey, KeyPair, PKCS_RSA_SHA256, generate_simple_self_signed};
use std::{collections::HashMap, io, num::NonZeroU32, path::Path};
use token_service::{RuleHolder, UserIdClaims};

const FILE: &str = "service.toml";
const CONNECTION_STRING: &str = "endpoint=https://contoso.communication.azure.com/;accesskey=c2VjcmV0";
const SEALING_KEY: &str = "oAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
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

fn pair() -> (String, String) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

fn rsa_pair() -> CertifiedKey<KeyPair> {
    let signing_key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let cert = CertificateParams::default().self_signed(&signing_key).unwrap();
    CertifiedKey { cert, signing_key }
}
