//! The databases that each test runs on: SQLite in memory, SQLite in a file and, if the environment names a server,
//! PostgreSQL. `interop/postgres/run` starts one for the tests.

use crate::store::Store;
use sqlx::{ConnectOptions, Executor, postgres::PgConnectOptions};
use std::{env, fs, path::PathBuf};
use url::Url;
use uuid::Uuid;

/// The variable with the URL of a PostgreSQL server, on which the tests create databases.
const SERVER_VARIABLE: &str = "STORE_TEST_POSTGRES";

/// Runs a test with a store of each database.
pub(super) async fn on_each(test: impl AsyncFn(Store)) {
    test(Store::connect("sqlite::memory:", 8).await.unwrap()).await;
    on_each_shared(async |url| test(Store::connect(&url, 8).await.unwrap()).await).await;
}

/// Runs a test with the URL of each database that several stores can share. The database is empty.
pub(super) async fn on_each_shared(test: impl AsyncFn(String)) {
    let directory = TempDir::new();
    test(directory.database_url()).await;
    if let Some(server) = env::var_os(SERVER_VARIABLE) {
        test(create_database(server.to_str().unwrap()).await).await;
    }
}

/// A directory that is removed with its test.
pub(super) struct TempDir(PathBuf);

impl TempDir {
    pub(super) fn new() -> Self {
        let path = env::temp_dir().join(format!("token_service-{}", Uuid::new_v4()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Returns the URL of an SQLite file in the directory.
    pub(super) fn database_url(&self) -> String {
        format!("sqlite://{}", self.0.join("users.db").to_str().unwrap())
    }

    /// Returns the number of files.
    pub(super) fn files(&self) -> usize {
        fs::read_dir(&self.0).unwrap().count()
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.0);
        assert!(removed.is_ok() || std::thread::panicking());
    }
}

/// Creates a database on the server, and returns its URL.
async fn create_database(server: &str) -> String {
    let name = format!("test_{}", Uuid::new_v4().simple());
    let options: PgConnectOptions = server.parse().unwrap();
    let mut connection = options.connect().await.unwrap();
    let create = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
    connection.execute(create).await.unwrap();
    let mut url = Url::parse(server).unwrap();
    url.set_path(&name);
    url.into()
}
