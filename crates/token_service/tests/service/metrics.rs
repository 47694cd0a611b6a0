//! The metrics of the database, of stored tokens and of the build.

use crate::{
    setup::{DatabaseFile, Options, Setup, issued_with, send},
    support::gate::CREATE,
};
use acs_identity_emulator::Fault;
use reqwest::Method;
use sqlx::{Connection, SqliteConnection};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use token_service::SealingKeys;
use tokio::time::timeout;

/// Parses the metrics, by name and labels.
async fn metrics(setup: &Setup) -> BTreeMap<String, String> {
    let text = send(setup.request(Method::GET, "/metrics"))
        .await
        .assert_status(200)
        .body
        .clone();
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    samples
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            (series.to_owned(), value.to_owned())
        })
        .collect()
}

/// Returns the series of a kind of backlog.
fn backlog(kind: &str) -> String {
    format!(r#"token_service_backlog{{kind="{kind}"}}"#)
}

#[tokio::test]
async fn due_deletions_and_claims_are_counted() {
    let (setup, gate) = Setup::gated(|builder| builder).await;
    for user in ["alice", "bob"] {
        setup.post("/api/user", &setup.caller(user)).await.assert_status(201);
    }
    setup.emulator.inject(Fault::status(503)).unwrap();
    for user in ["alice", "bob"] {
        setup.delete("/api/user", &setup.caller(user)).await.assert_status(503);
    }
    let stop = gate.stop(CREATE);
    let _waiting = setup.begin(Method::POST, "/api/user", &setup.caller("carol"));
    stop.arrived().await;
    // Carol's claim expires, and Dave's does not.
    setup.clock.advance(Duration::from_mins(3));
    let _waiting = setup.begin(Method::POST, "/api/user", &setup.caller("dave"));
    stop.arrived().await;

    let metrics = metrics(&setup).await;
    for (kind, rows) in [("deletions", "2"), ("claims", "2"), ("expired_claims", "1")] {
        assert_eq!(
            metrics.get(&backlog(kind)).map(String::as_str),
            Some(rows),
            "{kind}: {metrics:?}"
        );
    }
}

#[tokio::test]
async fn pool_is_measured() {
    let file = DatabaseFile::new();
    let setup = Setup::with(Options::with_database(&file), |builder| builder).await;
    setup.post("/api/user", &setup.caller("alice")).await.assert_status(201);
    let open = metrics(&setup).await;
    let of = |name: &str| open[&format!("token_service_database_{name}")].parse::<u32>().unwrap();
    assert_eq!((of("connections_max"), of("connections_waiting")), (8, 0), "{open:?}");
    let all = of(r#"connections{state="idle"}"#) + of(r#"connections{state="used"}"#);
    assert!((1..=8).contains(&all), "{open:?}");
    assert_eq!(of("connection_failures_total"), 0);

    setup.service.close().await;
    setup
        .post("/api/user", &setup.caller("alice"))
        .await
        .assert_error(503, "database");
    let closed = metrics(&setup).await;
    assert_ne!(closed["token_service_database_connection_failures_total"], "0");
}

#[tokio::test]
async fn closed_database_has_no_backlog() {
    let setup = Setup::start().await;
    setup.service.close().await;
    let metrics = metrics(&setup).await;
    assert!(
        !metrics.keys().any(|series| series.starts_with("token_service_backlog")),
        "{metrics:?}"
    );
}

#[tokio::test]
async fn metrics_do_not_wait_for_the_database() {
    let file = DatabaseFile::new();
    let setup = Setup::with(Options::with_database(&file), |builder| builder).await;
    // Writers wait for the lock, each with a connection.
    let mut other = SqliteConnection::connect(&file.url()).await.unwrap();
    let lock = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    let writers: Vec<_> = (0..8)
        .map(|user| setup.begin(Method::POST, "/api/user", &setup.caller(&format!("user-{user}"))))
        .collect();
    let is_exhausted = async || send(setup.request(Method::GET, "/readyz")).await.json()["database"] == false;
    let exhausted = async { while !is_exhausted().await {} };
    timeout(Duration::from_mins(1), exhausted).await.unwrap();

    // A connection would be waited for five seconds.
    let metrics = timeout(Duration::from_secs(4), metrics(&setup)).await.unwrap();
    assert!(!metrics.contains_key(&backlog("claims")), "{metrics:?}");
    assert_eq!(metrics[r#"token_service_database_connections{state="used"}"#], "8");
    lock.rollback().await.unwrap();
    for writer in writers {
        writer.await.unwrap().assert_status(201);
    }
}

#[tokio::test]
async fn unreadable_stored_tokens_are_counted() {
    const KEYS: [&str; 2] = [
        "oAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "sAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    ];
    const SERIES: &str = "token_service_unreadable_tokens_total";
    let file = DatabaseFile::new();
    let sealing = |key| SealingKeys::new([key]).unwrap();
    let setup = Setup::with(Options::with_database(&file), |builder| {
        builder.sealing_keys(sealing(KEYS[0]), issued_with())
    })
    .await;
    let alice = setup.caller("alice");
    setup.post("/token", &alice).await.assert_status(200);
    assert_eq!(metrics(&setup).await[SERIES], "0");
    let replica = setup
        .replica(Options::with_database(&file), |builder| {
            builder.sealing_keys(sealing(KEYS[1]), issued_with())
        })
        .await;
    for _ in 0..2 {
        replica.get("/api/token", &alice).await.assert_status(201);
    }
    assert_eq!(metrics(&replica).await[SERIES], "1", "the new one is stored and cached");
}

#[tokio::test]
async fn build_has_its_version() {
    let metrics = metrics(&Setup::start().await).await;
    let series = format!(r#"token_service_build_info{{version="{}""#, env!("CARGO_PKG_VERSION"));
    let build = metrics.iter().find(|(name, _)| name.starts_with(&series));
    assert_eq!(build.map(|(_, value)| value.as_str()), Some("1"), "{metrics:?}");
}

#[tokio::test]
async fn documentation_has_every_metric() {
    let setup = Setup::start().await;
    setup.post("/token", &setup.caller("alice")).await.assert_status(200);
    // The program's listeners count these.
    setup.service.connection_metrics("api").closed("limit");
    let text = send(setup.request(Method::GET, "/metrics")).await.body;
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let served: BTreeSet<_> = types
        .map(|line| match line.split_once(' ').unwrap() {
            (name, "counter") => format!("{name}_total"),
            (name, "info") => format!("{name}_info"),
            (name, _) => name.to_owned(),
        })
        .collect();
    let page = include_str!("../../docs/deployment.md");
    let rows = page.lines().filter(|line| line.starts_with("| `token_service_"));
    let documented: BTreeSet<_> = rows
        .flat_map(|row| row.split(" | ").next().unwrap().split('`').skip(1).step_by(2))
        .map(|series| series.split('{').next().unwrap().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    assert_eq!(served, documented);
}
