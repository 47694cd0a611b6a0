//! The opening of databases.

use crate::{
    connections::{Connections, Dialect},
    database_url::{PostgresUrl, SqliteUrl},
    error::{DatabaseError, DatabaseErrorKind},
};
use sqlx::{
    Connection, PgConnection, Postgres, Sqlite, SqlitePool,
    postgres::PgPoolOptions,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// The limit for opening a connection and for the wait for one. On SQLite, also for the wait for another transaction.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before a locked database is opened again.
const REOPEN_DELAY: Duration = Duration::from_millis(20);

/// The time after which an idle connection to PostgreSQL is closed. Networks forget silent connections, Azure's after four
/// minutes.
const IDLE_TIMEOUT: Duration = Duration::from_mins(3);

/// The limit for the check of a connection before its next use.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The lock for migrations, which ends with the transaction. The transaction of SQLite is a lock itself.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(8389754676633366889)";
/// The same behind a pooler, where statements with names are of another client, or would stay for one.
const POOLER_LOCK: &str = "SELECT pg_advisory_xact_lock(8389754676633366889); DEALLOCATE ALL";

impl Connections<Sqlite> {
    /// Opens a database of SQLite, with a write-ahead log and enforced foreign keys. A database in memory has one connection.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or is locked for 5 seconds.
    pub async fn open_sqlite(url: SqliteUrl, max_connections: u32) -> Result<Self, DatabaseError> {
        let connections = if url.is_in_memory() { 1 } else { max_connections };
        let options = url
            .options
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(CONNECT_TIMEOUT)
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(CONNECT_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None);
        let opened = timeout(CONNECT_TIMEOUT, open_pool(pool, options)).await;
        let pool =
            opened.unwrap_or_else(|_| Err(DatabaseError::new(DatabaseErrorKind::Unavailable, "it is locked")))?;
        let dialect = Dialect {
            begin: "BEGIN IMMEDIATE",
            around_migration: ["SELECT 1", "SELECT 1"],
            closes_interrupted: false,
            behind_pooler: false,
        };
        Ok(Self::new(pool, dialect))
    }
}

impl Connections<Postgres> {
    /// Opens a database of PostgreSQL.
    ///
    /// # Errors
    ///
    /// If the server cannot be reached within 5 seconds, or refuses the connection.
    pub async fn open_postgres(url: PostgresUrl, max_connections: u32) -> Result<Self, DatabaseError> {
        let PostgresUrl {
            mut options,
            behind_pooler,
        } = url;
        if behind_pooler {
            // PgBouncer refuses this parameter.
            options = options.extra_float_digits(None);
        }
        // The pool would retry until its timeout, and hide why it cannot connect.
        let first = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await;
        first
            .map_err(|_| {
                DatabaseError::new(
                    DatabaseErrorKind::Unavailable,
                    "the server did not answer within 5 seconds",
                )
            })?
            .map_err(DatabaseError::from_connection)?
            .close()
            .await
            .map_err(DatabaseError::from_connection)?;
        let pool = PgPoolOptions::new()
            .max_connections(max_connections)
            .acquire_timeout(CONNECT_TIMEOUT)
            .idle_timeout(IDLE_TIMEOUT)
            // The pool's own check has no limit.
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(check(connection)))
            .connect_with(options)
            .await
            .map_err(DatabaseError::from_connection)?;
        let dialect = Dialect {
            begin: "BEGIN",
            around_migration: if behind_pooler {
                [POOLER_LOCK, "DEALLOCATE ALL"]
            } else {
                [POSTGRES_LOCK, "SELECT 1"]
            },
            closes_interrupted: true,
            behind_pooler,
        };
        Ok(Self::new(pool, dialect))
    }
}

/// Opens an SQLite database. SQLite does not wait while another process switches it to a write-ahead log, so this retries.
async fn open_pool(pool: SqlitePoolOptions, options: SqliteConnectOptions) -> Result<SqlitePool, DatabaseError> {
    loop {
        match pool.clone().connect_with(options.clone()).await {
            Ok(pool) => return Ok(pool),
            Err(error) => {
                let error = DatabaseError::from_connection(error);
                if error.kind() != DatabaseErrorKind::Unavailable {
                    return Err(error);
                }
            }
        }
        sleep(REOPEN_DELAY).await;
    }
}

/// Checks a connection that was idle. The server can be gone without a trace.
async fn check(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match timeout(CHECK_TIMEOUT, connection.ping()).await {
        Ok(checked) => checked.map(|()| true),
        Err(elapsed) => Err(sqlx::Error::Io(elapsed.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database_url::DatabaseUrl;
    use tokio::net::TcpListener;

    async fn failure_of(server: &TcpListener) -> DatabaseError {
        let url = format!("postgres://app:secret@{}/users", server.local_addr().unwrap());
        let DatabaseUrl::Postgres(url) = DatabaseUrl::parse(&url).unwrap() else {
            panic!("the URL is not of PostgreSQL");
        };
        Connections::open_postgres(url, 1).await.unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn silent_server_is_unavailable_after_five_seconds() {
        // It accepts connections, and sends nothing.
        let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let error = failure_of(&silent).await;
        assert_eq!(error.kind(), DatabaseErrorKind::Unavailable);
        assert_eq!(error.to_string(), "the server did not answer within 5 seconds");
        assert!(!format!("{error:?}").contains("secret"));
    }

    #[tokio::test]
    async fn missing_file_is_created_on_request_only() {
        let file = std::env::temp_dir().join(format!("{}.db", uuid::Uuid::new_v4()));
        let open = async |query: &str, created: bool| {
            let url = format!("sqlite://{}{query}", file.to_str().unwrap());
            let DatabaseUrl::Sqlite(url) = DatabaseUrl::parse(&url).unwrap() else {
                panic!("the URL is not of SQLite");
            };
            let url = if created { url.created_without_mode() } else { url };
            let opened = Connections::open_sqlite(url, 1).await;
            let outcome = opened.as_ref().map(drop).map_err(ToString::to_string);
            if let Ok(connections) = opened {
                connections.close().await;
            }
            outcome
        };
        let missing = Err("unable to open database file (code 14)".to_owned());
        assert_eq!(open("", false).await, missing);
        assert_eq!(open("?mode=rw", true).await, missing);
        assert_eq!(open("", true).await, Ok(()));
        assert_eq!(open("?mode=rw", false).await, Ok(()));
        std::fs::remove_file(file).unwrap();
    }
}
