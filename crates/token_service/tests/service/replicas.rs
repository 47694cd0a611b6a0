//! Replicas with one database.

use crate::{
    setup::{DatabaseFile, Options, Setup, issued_with},
    support::gate::{Gate, ISSUE, REVOKE},
};
use acs_identity_emulator::TokenStatus;
use reqwest::Method;
use sqlx::{Connection, Executor, PgConnection};
use std::time::Duration;
use token_service::{SealingKeys, Store};

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
    /// The database, as a command has it.
    store: Store,
    /// The gate before the other one.
    gate: Gate,
    _file: DatabaseFile,
}

async fn two() -> Two {
    let file = DatabaseFile::new();
    let url = file.url();
    two_with(file, &url).await
}

/// Two services with a new database of the PostgreSQL server that the environment names, or `None` without one.
async fn two_with_announcements() -> Option<Two> {
    let server = std::env::var("STORE_TEST_POSTGRES").ok()?;
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::connect(&server).await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    connection.execute(create).await.unwrap();
    let (host, _) = server.rsplit_once('/').unwrap();
    let two = two_with(DatabaseFile::new(), &format!("{host}/{name}")).await;
    let mut listening = 0;
    for service in [&two.one.service, &two.other.service] {
        let service = service.clone();
        tokio::spawn(async move { service.sweep_forever().await });
        listening += 1;
    }
    // Each has a connection of its own for that.
    soon(async || {
        let query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = $1";
        let count = sqlx::query_scalar::<_, i64>(query).bind(&name);
        count.fetch_one(&mut connection).await.unwrap() == listening
    })
    .await;
    // The announcement of a connection has each mapping checked once.
    let token = async |service: &Setup| service.get("/api/token", &two.alice).await.text("/token");
    assert_eq!(token(&two.other).await, two.token);
    token(&two.one).await;
    Some(two)
}

/// Repeats a check until it holds.
async fn soon(mut check: impl AsyncFnMut() -> bool) {
    let checks = async { while !check().await {} };
    tokio::time::timeout(Duration::from_mins(1), checks).await.unwrap();
}

async fn two_with(file: DatabaseFile, url: &str) -> Two {
    let options = || Options {
        database: url.to_owned(),
        ..Options::default()
    };
    let one = Setup::with(options(), |builder| builder).await;
    let gate = Gate::before(&one.emulator).await;
    let other = one.replica(options().behind(&gate), |builder| builder).await;
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
        store: Store::connect(url, 1).await.unwrap(),
        gate,
        _file: file,
    }
}

#[tokio::test]
async fn announced_revocation_reaches_other_replicas_at_once() {
    let Some(two) = two_with_announcements().await else {
        return;
    };
    two.one.delete("/api/token", &two.alice).await.assert_status(204);
    two.one.emulator.advance(Duration::from_secs(1));
    // The clock of the services stands still.
    soon(async || {
        let token = two.other.get("/api/token", &two.alice).await.text("/token");
        token != two.token && two.one.emulator.token_status(&token) == TokenStatus::Active
    })
    .await;
}

#[tokio::test]
async fn announced_deletion_reaches_other_replicas_at_once() {
    let Some(two) = two_with_announcements().await else {
        return;
    };
    two.one.delete("/api/user", &two.alice).await.assert_status(204);
    soon(async || two.other.get("/api/token", &two.alice).await.status == 404).await;
}

#[tokio::test]
async fn revocation_during_the_issue_of_a_fresh_token_is_noticed() {
    let Some(two) = two_with_announcements().await else {
        return;
    };
    let bob = two.one.caller("bob");
    two.one.post("/api/user", &bob).await.assert_status(201);
    two.other.get("/api/token", &bob).await.assert_status(201);
    let stop = two.gate.stop(ISSUE);
    let issuing = two.other.begin(Method::GET, "/api/token?fresh=true", &two.alice);
    stop.arrived().await;
    two.one.delete("/api/token", &two.alice).await.assert_status(204);
    // Announcements arrive in their order.
    two.one.delete("/api/user", &bob).await.assert_status(204);
    soon(async || two.other.get("/api/token", &bob).await.status == 404).await;
    stop.open();
    let issued = issuing.await.unwrap().assert_status(201).text("/token");
    two.one.emulator.advance(Duration::from_secs(1));
    // The token may be a revoked one.
    assert_ne!(two.other.get("/api/token", &two.alice).await.text("/token"), issued);
}

#[tokio::test]
async fn changes_by_operators_reach_other_replicas_at_once() {
    let Some(two) = two_with_announcements().await else {
        return;
    };
    let admin = two.one.service.admin("root");
    let id = format!("{} alice", two.one.issuer.url());
    admin.revoke_tokens(&id).await.unwrap();
    two.one.emulator.advance(Duration::from_secs(1));
    soon(async || {
        let token = two.other.get("/api/token", &two.alice).await.text("/token");
        token != two.token && two.one.emulator.token_status(&token) == TokenStatus::Active
    })
    .await;
    admin.delete_user(&id).await.unwrap();
    soon(async || two.other.get("/api/token", &two.alice).await.status == 404).await;
}

#[tokio::test]
async fn forgotten_tokens_leave_every_replica() {
    let Some(two) = two_with_announcements().await else {
        return;
    };
    let token = two.one.get("/api/token", &two.alice).await.text("/token");
    two.store.forget_tokens().await.unwrap();
    for (service, old) in [(&two.one, &token), (&two.other, &two.token)] {
        soon(async || service.get("/api/token", &two.alice).await.text("/token") != *old).await;
    }
}

#[tokio::test]
async fn fresh_token_replaces_those_of_other_replicas() {
    let two = two().await;
    let before = two.one.get("/api/token", &two.alice).await.text("/token");
    let fresh = two.one.get("/api/token?fresh=true", &two.alice).await.text("/token");
    assert_ne!(fresh, before);
    assert_eq!(two.one.get("/api/token", &two.alice).await.text("/token"), fresh);
    two.one.clock.advance(Duration::from_secs(5));
    assert_ne!(two.other.get("/api/token", &two.alice).await.text("/token"), two.token);
    // It revokes nothing: other devices go on.
    assert_eq!(two.one.emulator.token_status(&before), TokenStatus::Active);
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
    let other = Setup::with(Options::with_database(&file), |builder| {
        builder.sealing_keys(keys(), issued_with())
    })
    .await;
    let gate = Gate::before(&other.emulator).await;
    let one = other
        .replica(Options::with_database(&file).behind(&gate), |builder| {
            builder.sealing_keys(keys(), issued_with())
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
