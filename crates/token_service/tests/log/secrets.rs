//! The log, which shows neither tokens nor ids of users.

use crate::setup::{DatabaseFile, Options, World, send};
use acs_identity_emulator::Fault;
use reqwest::Method;
use serde_json::Value;
use std::{
    io::{self, Write},
    sync::{Arc, Mutex},
};
use token_service::SealingKeys;
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::fmt::MakeWriter;

/// A log in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Log {
    /// Writes the log of this thread here.
    fn start(&self) -> DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(self.clone())
            .with_env_filter("info,token_service=trace,typespec_client_core=warn,acs_identity_emulator=off")
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn creation_that_was_given_up_is_a_warning() {
    let log = Log::default();
    let _guard = log.start();
    let world = World::start().await;
    world.emulator.inject(Fault::reset_after_commit().times(1)).unwrap();
    let answer = world.post("/api/user", &world.caller("alice")).await;
    answer.assert_error(503, "acs_unavailable");
    let log = log.text();
    let warning = log.lines().find(|line| line.contains("gave up")).expect(&log);
    let warning: Value = serde_json::from_str(warning).unwrap();
    assert_eq!(warning["level"], "WARN");
    assert_eq!(warning["fields"]["creations"], 1);
    let identities = world.emulator.identities();
    let user_part = identities[0].rsplit('_').next().unwrap();
    assert!(!log.contains(user_part) && !log.contains("alice"), "{log}");
}

#[tokio::test]
async fn the_log_has_request_ids_and_neither_ids_nor_tokens_of_users() {
    let log = Log::default();
    let _guard = log.start();

    let file = DatabaseFile::new();
    let options = Options {
        database: file.url(),
        ..Options::default()
    };
    let keys = SealingKeys::new(["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]).unwrap();
    let world = World::with(options, |builder| builder.sealing_keys(keys)).await;
    let subject = "alice-5d1c9c1e";
    let alice = world.caller(subject);
    let identity = world.post("/api/user", &alice).await.text("/acsUserIdentity");
    let token = world.get("/api/token", &alice).await.text("/token");
    world
        .post(&format!("/refreshToken/{identity}"), &alice)
        .await
        .assert_status(200);
    world.delete("/api/token", &alice).await.assert_status(204);
    for fault in [
        Fault::status(503),
        Fault::status(400),
        Fault::reset_before_commit(),
        Fault::html_body(),
    ] {
        world.emulator.inject(fault).unwrap();
        let answer = world.get("/api/token?scope=chat", &alice).await;
        assert!(answer.status.is_server_error(), "{answer:?}");
        assert!(
            !answer.body.contains(subject) && !answer.body.contains(&identity),
            "{answer:?}"
        );
        assert!(!world.delete("/api/token", &alice).await.status.is_success());
        world.emulator.clear_faults();
    }
    world.delete("/api/user", &alice).await.assert_status(204);
    world.service.sweep().await.unwrap();
    send(
        world
            .request(Method::GET, "/api/user")
            .header("x-request-id", "request-4711")
            .bearer_auth(&alice),
    )
    .await;
    world.service.close().await;
    world
        .get("/api/user", &world.caller("bob-77aa"))
        .await
        .assert_error(503, "database");

    let log = log.text();
    assert!(log.contains("request-4711"), "{log}");
    assert!(
        log.contains("/refreshToken/{id}") && log.contains("acs_unavailable"),
        "{log}"
    );
    let user_part = identity.rsplit('_').next().unwrap();
    let (signature, alice_signature) = (token.rsplit('.').next().unwrap(), alice.rsplit('.').next().unwrap());
    for secret in [subject, "bob-77aa", user_part, &signature[..20], &alice_signature[..20]] {
        assert!(!log.contains(secret), "{secret} stands in the log: {log}");
    }
}
