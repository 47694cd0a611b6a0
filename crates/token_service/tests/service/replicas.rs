//! Replicas with one database.

use crate::{
    setup::{DatabaseFile, Options, Setup},
    support::gate::{Gate, REVOKE},
};
use acs_identity_emulator::TokenStatus;
use reqwest::Method;
use std::time::Duration;
use token_service::SealingKeys;

fn keys() -> SealingKeys {
    SealingKeys::new(["AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]).unwrap()
}

/// Two services with one database, and a token of alice in the cache of each.
struct Two {
    one: Setup,
    other: Setup,
    alice: String,
    /// The cached token of the other one.
    token: String,
    _file: DatabaseFile,
}

async fn two() -> Two {
    let file = DatabaseFile::new();
    let one = Setup::with(Options::with_database(&file), |builder| builder).await;
    let other = one.replica(Options::with_database(&file), |builder| builder).await;
    let alice = one.caller("alice");
    one.post("/api/user", &alice).await.assert_status(201);
    one.get("/api/token", &alice).await.assert_status(201);
    let token = other.get("/api/token", &alice).await.text("/token");
    one.emulator.advance(Duration::from_secs(1));
    Two {
        one,
        other,
        alice,
        token,
        _file: file,
    }
}

#[tokio::test]
async fn token_revoked_by_a_replica_is_cached_for_five_seconds() {
    let two = two().await;
    two.one.delete("/api/token", &two.alice).await.assert_status(204);
    assert_eq!(two.one.emulator.token_status(&two.token), TokenStatus::Revoked);
    two.one.emulator.advance(Duration::from_secs(1));
    let token = async || two.other.get("/api/token", &two.alice).await.text("/token");
    assert_eq!(token().await, two.token, "the replica does not know of the revocation");
    two.one.clock.advance(Duration::from_secs(5));
    let after = token().await;
    assert_ne!(after, two.token);
    assert_eq!(two.one.emulator.token_status(&after), TokenStatus::Active);
}

#[tokio::test]
async fn user_deleted_by_a_replica_is_cached_for_five_seconds() {
    let two = two().await;
    two.one.delete("/api/user", &two.alice).await.assert_status(204);
    two.one.clock.advance(Duration::from_secs(5));
    two.other
        .get("/api/token", &two.alice)
        .await
        .assert_error(404, "no_identity");
    // The old token is not handed out after the user has returned.
    two.one.post("/api/user", &two.alice).await.assert_status(201);
    let token = two.other.get("/api/token", &two.alice).await.text("/token");
    assert_eq!(two.one.emulator.token_status(&token), TokenStatus::Active);
}

#[tokio::test]
async fn token_issued_during_a_revocation_is_dropped() {
    let file = DatabaseFile::new();
    let other = Setup::with(Options::with_database(&file), |builder| builder.sealing_keys(keys())).await;
    let gate = Gate::before(&other.emulator).await;
    let one = other
        .replica(Options::with_database(&file).behind(&gate), |builder| {
            builder.sealing_keys(keys())
        })
        .await;
    let alice = one.caller("alice");
    one.post("/api/user", &alice).await.assert_status(201);

    let stop = gate.stop(REVOKE);
    let revoking = one.begin(Method::DELETE, "/api/token", &alice);
    stop.arrived().await;
    let between = other.get("/api/token", &alice).await.text("/token");
    one.emulator.advance(Duration::from_secs(1));
    stop.open();
    revoking.await.unwrap().assert_status(204);
    assert_eq!(one.emulator.token_status(&between), TokenStatus::Revoked);

    one.emulator.advance(Duration::from_secs(1));
    one.clock.advance(Duration::from_secs(5));
    for service in [&one, &other] {
        let token = service.get("/api/token", &alice).await.text("/token");
        assert_eq!(one.emulator.token_status(&token), TokenStatus::Active);
    }
}
