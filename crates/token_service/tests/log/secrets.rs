//! The log without tokens and ids of users.

use crate::setup::{DatabaseFile, Options, Setup, issued_with, send};
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
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

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
    /// Captures the log of this thread.
    pub(crate) fn start(&self) -> DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .json()
            .with_writer(self.clone())
            .with_env_filter("info,token_service=trace,typespec_client_core=warn,acs_identity_emulator=off")
            .finish();
        tracing::subscriber::set_default(subscriber)
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test]
async fn given_up_creation_is_a_warning() {
    let log = Log::default();
    let _guard = log.start();
    let setup = Setup::start().await;
    setup.emulator.inject(Fault::reset_after_commit().times(1)).unwrap();
    let reply = setup.post("/api/user", &setup.caller("alice")).await;
    reply.assert_error(503, "acs_unavailable");
    let log = log.text();
    let warning = log.lines().find(|line| line.contains("gave up")).expect(&log);
    let warning: Value = serde_json::from_str(warning).unwrap();
    assert_eq!(warning["level"], "WARN");
    assert_eq!(warning["fields"]["creations"], 1);
    let identities = setup.emulator.identities();
    let user_part = identities[0].rsplit('_').next().unwrap();
    assert!(!log.contains(user_part) && !log.contains("alice"), "{log}");
}

#[tokio::test]
async fn unreadable_stored_tokens_are_one_warning() {
    let log = Log::default();
    let _guard = log.start();
    let file = DatabaseFile::new();
    let setup = Setup::with(Options::with_database(&file), |builder| {
        let keys = SealingKeys::new(["oAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]).unwrap();
        builder.sealing_keys(keys, issued_with())
    })
    .await;
    for user in ["alice", "bob"] {
        setup.post("/token", &setup.caller(user)).await.assert_status(200);
    }
    assert!(!log.text().contains("cannot be decrypted"));
    let replica = setup
        .replica(Options::with_database(&file), |builder| {
            let keys = SealingKeys::new(["sAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]).unwrap();
            builder.sealing_keys(keys, issued_with())
        })
        .await;
    for user in ["alice", "bob"] {
        replica.post("/token", &setup.caller(user)).await.assert_status(200);
    }
    let log = log.text();
    let warnings: Vec<_> = log
        .lines()
        .filter(|line| line.contains("cannot be decrypted"))
        .collect();
    let [warning] = *warnings else { panic!("{warnings:?}") };
    assert!(
        warning.contains("WARN") && warning.contains("tokens.sealing_keys"),
        "{warning}"
    );
    assert!(warning.contains("forget-tokens"), "{warning}");
}

#[tokio::test]
async fn log_has_request_ids_but_no_user_ids_or_tokens() {
    let log = Log::default();
    let _guard = log.start();

    let file = DatabaseFile::new();
    let options = Options::with_database(&file);
    let keys = SealingKeys::new(["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]).unwrap();
    let setup = Setup::with(options, |builder| builder.sealing_keys(keys, issued_with())).await;
    let subject = "alice-5d1c9c1e";
    let alice = setup.caller(subject);
    let identity = setup.post("/api/user", &alice).await.text("/acsUserIdentity");
    let token = setup.get("/api/token", &alice).await.text("/token");
    setup
        .post(&format!("/refreshToken/{identity}"), &alice)
        .await
        .assert_status(200);
    setup.delete("/api/token", &alice).await.assert_status(204);
    for fault in [
        Fault::status(503),
        Fault::status(400),
        Fault::reset_before_commit(),
        Fault::html_body(),
    ] {
        setup.emulator.inject(fault).unwrap();
        let reply = setup.get("/api/token?scope=chat", &alice).await;
        assert!(reply.status.is_server_error(), "{reply:?}");
        assert!(
            !reply.body.contains(subject) && !reply.body.contains(&identity),
            "{reply:?}"
        );
        assert!(!setup.delete("/api/token", &alice).await.status.is_success());
        setup.emulator.clear_faults();
    }
    setup.delete("/api/user", &alice).await.assert_status(204);
    setup.service.sweep().await.unwrap();
    send(
        setup
            .request(Method::GET, "/api/user")
            .header("x-request-id", "request-4711")
            .bearer_auth(&alice),
    )
    .await;
    setup.service.close().await;
    setup
        .get("/api/user", &setup.caller("bob-77aa"))
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
        assert!(!log.contains(secret), "{secret} is in the log: {log}");
    }
}
