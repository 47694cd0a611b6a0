//! A database of a test's own: SQLite in memory, SQLite in a file and, where the environment names a server, PostgreSQL.
//! `interop/postgres/run` starts the tests with one.

use crate::store::Store;
use sqlx::{ConnectOptions, Executor, postgres::PgConnectOptions};
use std::{env, fs, path::PathBuf};
use url::Url;
use uuid::Uuid;

/// The URL of a PostgreSQL server on which databases may be created.
const SERVER: &str = "STORE_TEST_POSTGRES";

/// Runs a test on each database, with its store.
pub(super) async fn on_each(test: impl AsyncFn(Store)) {
    test(Store::connect("sqlite::memory:", 8).await.unwrap()).await;
    on_each_server(async |url| test(Store::connect(&url, 8).await.unwrap()).await).await;
}

/// Runs a test on each database that more than one store can have open, with its URL. Nothing is in it yet.
pub(super) async fn on_each_server(test: impl AsyncFn(String)) {
    let directory = Directory::new();
    test(directory.database()).await;
    if let Some(server) = env::var_os(SERVER) {
        test(created_on(server.to_str().unwrap()).await).await;
    }
}

/// A directory that goes with its test.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        let path = env::temp_dir().join(format!("token_service-{}", Uuid::new_v4()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// The URL of an SQLite file in it.
    pub(super) fn database(&self) -> String {
        format!("sqlite://{}", self.0.join("users.db").to_str().unwrap())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.0);
        assert!(removed.is_ok() || std::thread::panicking());
    }
}

/// Creates a database on the server, which goes with the server.
async fn created_on(server: &str) -> String {
    let name = format!("test_{}", Uuid::new_v4().simple());
    let options: PgConnectOptions = server.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    connection.execute(create).await.unwrap();
    let mut url = Url::parse(server).unwrap();
    url.set_path(&name);
    url.into()
}
