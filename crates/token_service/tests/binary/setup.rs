//! A configured service, with an emulator and an issuer of the test's own.

use crate::process::{Process, command, directory};
use acs_identity_emulator::Emulator;
use reqwest::{Certificate, Client};
use serde_json::json;
use std::{ffi::OsStr, fs, path::PathBuf};
use token_guard::testing::TestIssuer;

pub(crate) const AUDIENCE: &str = "https://api.contoso.com";

pub(crate) struct Setup {
    pub(crate) emulator: Emulator,
    pub(crate) issuer: TestIssuer,
    /// Where the configuration and the database are.
    pub(crate) directory: PathBuf,
}

impl Setup {
    pub(crate) async fn new() -> Self {
        Self {
            emulator: Emulator::builder().start().await.unwrap(),
            issuer: TestIssuer::start().await.unwrap(),
            directory: directory(),
        }
    }

    /// A configuration that uses the emulator, with keys before all sections, and sections behind those that it has.
    pub(crate) fn configuration(&self, keys: &str, sections: &str) -> String {
        self.configuration_for(&self.emulator.connection_string(), keys, sections)
    }

    pub(crate) fn configuration_for(&self, connection_string: &str, keys: &str, sections: &str) -> String {
        format!(
            "listen = '127.0.0.1:0'\n{keys}\n[acs]\nconnection_string = '{connection_string}'\n[issuer]\nkind = 'oidc'\n\
             url = '{}'\naudience = '{AUDIENCE}'\n{sections}\n",
            self.issuer.url()
        )
    }

    /// Starts a service with this configuration, in the directory.
    pub(crate) async fn start(&self, configuration: &str) -> Process {
        let path = self.directory.join("service.toml");
        fs::write(&path, configuration).unwrap();
        let mut command = command(&[OsStr::new("--config"), path.as_os_str()]);
        Process::spawn(command.current_dir(&self.directory)).await.unwrap()
    }

    /// The token of a user.
    pub(crate) fn token(&self, user: &str) -> String {
        self.issuer.token(json!({"sub": user, "aud": AUDIENCE})).unwrap()
    }
}

/// A client that goes to this machine without any proxy.
pub(crate) fn http() -> Client {
    Client::builder().no_proxy().build().unwrap()
}

/// A client that trusts one certificate, and has no connection yet.
pub(crate) fn http_trusting(certificate: &str) -> Client {
    let certificate = Certificate::from_pem(certificate.as_bytes()).unwrap();
    Client::builder()
        .no_proxy()
        .tls_certs_only([certificate])
        .build()
        .unwrap()
}
