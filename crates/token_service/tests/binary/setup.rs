//! A configured service with an emulator and an issuer.

use crate::{
    process::{Process, command, directory},
    support::{AUDIENCE, http},
};
use acs_identity_emulator::Emulator;
use serde_json::{Value, json};
use std::{ffi::OsStr, fs, path::PathBuf};
use token_guard::testing::TestIssuer;

pub(crate) struct Setup {
    pub(crate) emulator: Emulator,
    pub(crate) issuer: TestIssuer,
    /// The directory of the configuration and the database.
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

    /// Returns a configuration for the emulator. `keys` come before all sections, and `sections` after its own.
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

    /// Starts a service with this configuration.
    pub(crate) async fn start(&self, configuration: &str) -> Process {
        let path = self.directory.join("service.toml");
        fs::write(&path, configuration).unwrap();
        let mut command = command(&[OsStr::new("--config"), path.as_os_str()]);
        Process::spawn(command.current_dir(&self.directory)).await.unwrap()
    }

    /// Issues a user's token.
    pub(crate) fn token(&self, user: &str) -> String {
        self.issuer.token(json!({"sub": user, "aud": AUDIENCE})).unwrap()
    }
    /// Creates a user, and returns their token from the service.
    pub(crate) async fn sign_in(&self, process: &Process, user: &str) -> String {
        let bearer = self.token(user);
        let created = http()
            .post(process.url("api/user"))
            .bearer_auth(&bearer)
            .send()
            .await
            .unwrap();
        assert!(created.status().is_success(), "{created:?}");
        let response = http()
            .get(process.url("api/token"))
            .bearer_auth(&bearer)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 201);
        let body: Value = response.json().await.unwrap();
        body["token"].as_str().unwrap().to_owned()
    }
}
