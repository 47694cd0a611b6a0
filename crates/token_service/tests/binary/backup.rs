//! The steps of docs/backup.md, with SQLite.

use crate::{process::Process, setup::Setup, support::http};
use acs_identity_emulator::TokenStatus;
use reqwest::Method;
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use tokio::process::Command;

const PAGE: &str = include_str!("../../docs/backup.md");
const DATABASE: &str = "token_service.db";
const BACKUP: &str = "token_service.backup.db";
const SEALING_KEYS: [&str; 2] = [
    "oAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "//79/Pv6+fj39vX08/Lx8O/u7ezr6uno5+bl5OPi4eA=",
];

/// Returns the part of the page between two texts.
fn between(start: &str, end: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(start).unwrap();
    rest.split_once(end).unwrap().0
}

/// A service, and a backup of its database.
struct Backup {
    setup: Setup,
}

impl Backup {
    async fn new() -> Self {
        Self {
            setup: Setup::new().await,
        }
    }

    fn configuration(&self, sealing_key: &str) -> String {
        let tokens = format!("[tokens]\nsealing_keys = ['{sealing_key}']");
        self.setup.configuration("", &tokens)
    }

    async fn start(&self) -> Process {
        self.setup.start(&self.configuration(SEALING_KEYS[0])).await
    }

    /// Executes a statement of the page, which its reader gives to `sqlite3`.
    async fn execute(&self, statement: &str) {
        let directory = self.setup.directory.to_str().unwrap();
        let statement = statement.replace(BACKUP, &format!("{directory}/{BACKUP}"));
        let url = format!("sqlite://{directory}/{DATABASE}");
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        let statement = sqlx::AssertSqlSafe(statement);
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Runs the commands of the page that put the backup in the place of the database.
    async fn restore(&self) {
        let commands = between("   SQLite:\n\n   ```sh\n", "   ```");
        let mut bash = Command::new("bash");
        let status = bash
            .args(["-euc", commands])
            .current_dir(&self.setup.directory)
            .status();
        assert!(status.await.unwrap().success(), "{commands}");
    }

    /// Runs a command of the page.
    async fn run(&self, arguments: &[&str]) {
        assert!(PAGE.contains(&format!("token_service {}", arguments.first().unwrap())));
        let configuration = self.configuration(SEALING_KEYS[0]);
        let ended = self.setup.run(&configuration, arguments).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }

    /// Sends a user's request, and returns the status and the body.
    async fn send(&self, service: &Process, method: Method, path: &str, user: &str) -> (u16, Value) {
        let request = http().request(method, service.url(path));
        let response = request.bearer_auth(self.setup.token(user)).send().await.unwrap();
        let status = response.status().as_u16();
        let body = response.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// Creates a user's identity, or returns the one that is there.
    async fn identity(&self, service: &Process, user: &str) -> String {
        let (status, body) = self.send(service, Method::POST, "api/user", user).await;
        assert!([200, 201].contains(&status), "{status}: {body}");
        body["acsUserIdentity"].as_str().unwrap().to_owned()
    }

    async fn token(&self, service: &Process, user: &str) -> String {
        let (status, body) = self.send(service, Method::GET, "api/token", user).await;
        assert_eq!(status, 201, "{body}");
        body["token"].as_str().unwrap().to_owned()
    }
}

async fn stop(service: Process) {
    service.signal("-TERM").await;
    assert_eq!(service.ended().await.code, Some(0));
}

#[tokio::test]
async fn restore_loses_what_came_after_the_backup() {
    let backup = Backup::new().await;
    let emulator = &backup.setup.emulator;
    let service = backup.start().await;
    let alice = backup.identity(&service, "alice").await;
    let bob = backup.identity(&service, "bob").await;
    let carol = backup.identity(&service, "carol").await;
    let revoked = backup.token(&service, "bob").await;
    // The service goes on meanwhile.
    backup.execute(between("sqlite3 token_service.db \"", "\"\n")).await;

    let dave = backup.identity(&service, "dave").await;
    for (path, user) in [("api/token", "bob"), ("api/user", "carol")] {
        let (status, body) = backup.send(&service, Method::DELETE, path, user).await;
        assert_eq!(status, 204, "{body}");
    }
    assert_eq!(emulator.token_status(&revoked), TokenStatus::Revoked);
    assert!(!emulator.identities().contains(&carol));
    stop(service).await;

    // The file alone brings back what is not to come back.
    backup.restore().await;
    let service = backup.start().await;
    assert_eq!(backup.token(&service, "bob").await, revoked);
    assert_eq!(backup.identity(&service, "carol").await, carol);
    let (status, body) = backup.send(&service, Method::GET, "api/token", "carol").await;
    assert_eq!(
        (status, &body["reason"]),
        (409, &Value::from("identity_gone")),
        "{body}"
    );
    stop(service).await;

    // All steps.
    backup.restore().await;
    backup.run(&["forget-tokens"]).await;
    let carols_id = format!("{} carol", backup.setup.issuer.url());
    backup.run(&["users", "delete", &carols_id]).await;
    let service = backup.start().await;
    assert_eq!(backup.identity(&service, "alice").await, alice);
    assert_eq!(backup.identity(&service, "bob").await, bob);
    let fresh = backup.token(&service, "bob").await;
    assert_eq!(emulator.token_status(&fresh), TokenStatus::Active);
    for lost in ["carol", "dave"] {
        let (status, body) = backup.send(&service, Method::GET, "api/user", lost).await;
        assert_eq!(status, 404, "{lost}: {body}");
    }
    assert_ne!(backup.identity(&service, "carol").await, carol);
    assert_ne!(backup.identity(&service, "dave").await, dave);
    assert!(emulator.identities().contains(&dave), "it stays without a user");
}

#[tokio::test]
async fn lost_sealing_keys_cost_no_identity() {
    let backup = Backup::new().await;
    let service = backup.start().await;
    let alice = backup.identity(&service, "alice").await;
    let token = backup.token(&service, "alice").await;
    stop(service).await;
    let service = backup.setup.start(&backup.configuration(SEALING_KEYS[1])).await;
    assert_eq!(backup.identity(&service, "alice").await, alice);
    let other = backup.token(&service, "alice").await;
    assert_ne!(other, token);
    assert_eq!(backup.setup.emulator.token_status(&other), TokenStatus::Active);
}
