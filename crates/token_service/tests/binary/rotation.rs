//! The steps of docs/rotation.md.

use crate::{process::Process, setup::Setup, support::http};
use acs_identity_emulator::{AccessKeyKind, TokenStatus};
use serde_json::Value;
use std::fs;

const KEYS: [&str; 2] = [
    "oAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=",
];

/// A service that is restarted with each step.
struct Rotated {
    setup: Setup,
    running: Option<Process>,
}

impl Rotated {
    async fn new() -> Self {
        let setup = Setup::new().await;
        Self { setup, running: None }
    }

    fn configuration(&self, sealing_keys: &[&str]) -> String {
        format!(
            "{}\n[tokens]\nsealing_keys = {sealing_keys:?}",
            self.setup
                .configuration("", "")
                .replace(&self.setup.emulator.connection_string(), "unused")
                .replace(
                    "connection_string = 'unused'",
                    "connection_string_file = 'connection_string'"
                )
        )
    }

    /// Writes the file with the connection string.
    fn write(&self, access_key: &str) {
        let emulator = &self.setup.emulator;
        let text = emulator.connection_string().replace(&emulator.access_key(), access_key);
        fs::write(self.setup.directory.join("connection_string"), format!("{text}\n")).unwrap();
    }

    async fn restart(&mut self, sealing_keys: &[&str]) {
        if let Some(running) = self.running.take() {
            running.signal("-TERM").await;
            assert_eq!(running.ended().await.code, Some(0));
        }
        self.running = Some(self.setup.start(&self.configuration(sealing_keys)).await);
    }

    /// Returns the user's token, which works.
    async fn token(&self, user: &str) -> String {
        let url = self.running.as_ref().unwrap().url("token");
        let response = http()
            .post(url)
            .bearer_auth(self.setup.token(user))
            .send()
            .await
            .unwrap();
        let body: Value = response.json().await.unwrap();
        let token = body["token"].as_str().unwrap_or_else(|| panic!("{body}")).to_owned();
        assert_eq!(self.setup.emulator.token_status(&token), TokenStatus::Active);
        token
    }
}

#[tokio::test]
async fn access_key_is_rotated_without_dead_tokens() {
    let mut service = Rotated::new().await;
    service.write(&service.setup.emulator.access_key());
    service.restart(&KEYS[..1]).await;
    let first = service.token("alice").await;
    service.restart(&KEYS[..1]).await;
    assert_eq!(service.token("alice").await, first, "a restart alone loses no token");

    service.write(&service.setup.emulator.secondary_access_key());
    service.restart(&KEYS[..1]).await;
    let second = service.token("alice").await;
    assert_ne!(second, first);
    let emulator = &service.setup.emulator;
    emulator.regenerate_access_key(AccessKeyKind::Primary).await.unwrap();
    assert_eq!(emulator.token_status(&first), TokenStatus::Revoked);
    assert_eq!(service.token("alice").await, second);

    let ended = service
        .setup
        .run(&service.configuration(&KEYS[..1]), &["forget-tokens"])
        .await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.stdout.starts_with("1 stored tokens are forgotten"), "{ended:?}");
    service.restart(&KEYS[..1]).await;
    assert_ne!(service.token("alice").await, second);
}

#[tokio::test]
async fn sealing_keys_are_rotated_without_lost_tokens() {
    let mut service = Rotated::new().await;
    service.write(&service.setup.emulator.access_key());
    let [old, new] = KEYS;
    service.restart(&[old]).await;
    let alice = service.token("alice").await;
    service.restart(&[old, new]).await;
    assert_eq!(service.token("alice").await, alice);
    service.restart(&[new, old]).await;
    assert_eq!(service.token("alice").await, alice);
    let bob = service.token("bob").await;
    service.restart(&[new]).await;
    assert_eq!(service.token("bob").await, bob);
    assert_ne!(service.token("alice").await, alice, "the old key is gone");
}
