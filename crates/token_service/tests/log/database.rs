//! Databases that fail for a while.

use crate::{
    secrets::Log,
    setup::{DatabaseFile, Options, Setup},
};
use reqwest::Method;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use std::time::Duration;
use tokio::{task::yield_now, time::timeout};

/// A database that stores no identities, until it is repaired.
struct Failing {
    setup: Setup,
    database: SqliteConnection,
    log: Log,
    _file: DatabaseFile,
}

impl Failing {
    async fn start(log: Log) -> Self {
        let file = DatabaseFile::new();
        let setup = Setup::with(Options::with_database(&file), |builder| builder).await;
        let mut failing = Self {
            setup,
            database: SqliteConnection::connect(&file.url()).await.unwrap(),
            log,
            _file: file,
        };
        failing
            .execute(
                "CREATE TRIGGER full BEFORE UPDATE OF identity ON users BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
            )
            .await;
        failing
    }

    async fn repair(&mut self) {
        self.execute("DROP TRIGGER full").await;
    }

    async fn execute(&mut self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&mut self.database).await.unwrap();
    }

    /// Waits until so many attempts to store an identity have failed.
    async fn failed(&self, attempts: usize) {
        self.log.shows("could not be stored", attempts).await;
    }
}

impl Log {
    /// Waits until so many lines of the log contain a text.
    async fn shows(&self, text: &str, lines: usize) {
        let shown = async {
            while self.count(text) < lines {
                yield_now().await;
            }
        };
        timeout(Duration::from_mins(1), shown).await.unwrap();
    }

    fn count(&self, text: &str) -> usize {
        self.text().lines().filter(|line| line.contains(text)).count()
    }
}

#[tokio::test]
async fn identity_is_stored_when_the_database_is_back() {
    let log = Log::default();
    let _guard = log.start();
    let mut failing = Failing::start(log.clone()).await;
    let alice = failing.setup.caller("alice");
    let creating = failing.setup.begin(Method::POST, "/api/user", &alice);
    // The pauses before the eighth attempt are 4.85 seconds.
    failing.failed(7).await;
    failing.repair().await;
    let identity = creating.await.unwrap().assert_status(201).text("/acsUserIdentity");
    assert_eq!(failing.setup.emulator.identities(), [identity.as_str()]);
    let reply = failing.setup.get("/api/user", &alice).await;
    assert_eq!(reply.text("/acsUserIdentity"), identity);
}

#[tokio::test]
async fn identity_that_cannot_be_stored_is_deleted() {
    let log = Log::default();
    let _guard = log.start();
    let mut failing = Failing::start(log.clone()).await;
    let alice = failing.setup.caller("alice");
    let creating = failing.setup.begin(Method::POST, "/api/user", &alice);
    failing.failed(1).await;
    assert_eq!(failing.setup.emulator.identity_count(), 1);
    failing.setup.clock.advance(Duration::from_secs(111));
    creating.await.unwrap().assert_error(503, "database");
    assert_eq!(failing.setup.emulator.identity_count(), 0);
    assert_eq!(failing.setup.metric("token_service_creations_given_up_total").await, 0);

    // The claim does not keep the user out.
    failing.repair().await;
    let alice = failing.setup.caller("alice");
    failing.setup.post("/api/user", &alice).await.assert_status(201);
    assert_eq!(failing.setup.emulator.identity_count(), 1);
}

/// Needs the PostgreSQL server that the environment names.
#[tokio::test]
async fn lost_announcements_are_one_warning() {
    let Ok(server) = std::env::var("STORE_TEST_POSTGRES") else {
        return;
    };
    let log = Log::default();
    let _guard = log.start();
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let mut postgres = PgConnection::connect(&server).await.unwrap();
    let mut run = async |statement: String| {
        postgres.execute(AssertSqlSafe(statement)).await.unwrap();
    };
    run(format!("CREATE DATABASE {name}")).await;
    let options = Options {
        database: format!("{}/{name}", server.rsplit_once('/').unwrap().0),
        ..Options::default()
    };
    let setup = Setup::with(options, |builder| builder).await;
    run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    let service = setup.service.clone();
    tokio::spawn(async move { service.sweep_forever().await });
    log.shows("still not announced", 1).await;
    run(format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    log.shows("announced again", 1).await;
    let text = log.text();
    let line = |text: &str, part: &str| -> Value {
        serde_json::from_str(text.lines().find(|line| line.contains(part)).unwrap()).unwrap()
    };
    assert_eq!(line(&text, "are not announced")["level"], "WARN");
    assert_eq!(log.count("are not announced"), 1);
    assert_eq!(line(&text, "announced again")["level"], "INFO");
}
