//! Databases that fail for a while.

use crate::{
    secrets::Log,
    setup::{DatabaseFile, Options, Setup},
};
use reqwest::Method;
use sqlx::{Connection, SqliteConnection};
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
        let failed = async {
            while self.log.text().matches("could not be stored").count() < attempts {
                yield_now().await;
            }
        };
        timeout(Duration::from_mins(1), failed).await.unwrap();
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
