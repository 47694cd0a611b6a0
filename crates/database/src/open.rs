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
use std::{fs::OpenOptions, path::Path, time::Duration};
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
    /// A file that this creates is readable by its owner only. The file is not switched to a write-ahead log if its URL is [without changes](SqliteUrl::without_changes).
    ///
    /// # Errors
    ///
    /// If the file cannot be opened, or is locked for 5 seconds.
    pub async fn open_sqlite(url: SqliteUrl, max_connections: u32) -> Result<Self, DatabaseError> {
        let connections = if url.is_in_memory() { 1 } else { max_connections };
        if url.created {
            create_for_owner(url.file());
        }
        let mut options = url.options.busy_timeout(CONNECT_TIMEOUT).foreign_keys(true);
        if url.changed {
            options = options.journal_mode(SqliteJournalMode::Wal);
        }
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

/// Creates a missing file that its owner alone can read. SQLite gives its log the same rights.
fn create_for_owner(file: &Path) {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    // A failure is SQLite's to report.
    let _ = options.open(file);
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
    use std::{
        env, fs,
        path::{Path, PathBuf},
        pin::pin,
        task::{Context, Waker},
    };
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

    fn temp_file() -> PathBuf {
        env::temp_dir().join(format!("{}.db", uuid::Uuid::new_v4()))
    }

    fn sqlite_url(file: &Path, query: &str) -> SqliteUrl {
        match DatabaseUrl::parse(&format!("sqlite://{}{query}", file.to_str().unwrap())).unwrap() {
            DatabaseUrl::Sqlite(url) => url,
            DatabaseUrl::Postgres(_) => panic!("the URL is not of SQLite"),
        }
    }

    #[tokio::test]
    async fn missing_file_is_created_on_request_only() {
        let file = temp_file();
        let open = async |query: &str, created: bool| {
            let url = sqlite_url(&file, query);
            let url = if created { url.created_without_mode() } else { url };
            let opened = Connections::open_sqlite(url, 1).await;
            let outcome = opened.as_ref().map(drop).map_err(ToString::to_string);
            if let Ok(connections) = opened {
                connections.close().await;
            }
            outcome
        };
        let missing = Err(
            "unable to open database file (code 14); create its directory, let the service write to it, or add ?mode=rwc to \
             the URL to create the file"
                .to_owned(),
        );
        assert_eq!(open("", false).await, missing);
        assert_eq!(open("?mode=rw", true).await, missing);
        assert_eq!(open("", true).await, Ok(()));
        assert_eq!(open("?mode=rw", false).await, Ok(()));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let rights = |mode: u32| mode & 0o777;
            assert_eq!(rights(fs::metadata(&file).unwrap().permissions().mode()), 0o600);
        }
        fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn file_is_opened_without_changes() {
        let file = temp_file();
        let open = async || Connections::open_sqlite(sqlite_url(&file, "?mode=rwc").without_changes(), 1).await;
        assert!(open().await.is_err());
        assert!(!file.exists());
        // An empty file is a database without tables.
        fs::write(&file, "").unwrap();
        open().await.unwrap().close().await;
        assert_eq!(fs::read(&file).unwrap(), b"");
        // A write-ahead log is noted in the file.
        let url = sqlite_url(&file, "");
        Connections::open_sqlite(url, 1).await.unwrap().close().await;
        assert!(fs::read(&file).unwrap().starts_with(b"SQLite format 3\0"));
        fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn unusable_file_has_a_remedy() {
        let file = temp_file();
        fs::write(&file, [b'x'; 8192]).unwrap();
        let error = Connections::open_sqlite(sqlite_url(&file, ""), 1).await.unwrap_err();
        assert_eq!(error.kind(), DatabaseErrorKind::NotSqlite);
        assert_eq!(
            error.to_string(),
            "file is not a database (code 26); the file is not a database of SQLite: name another one in the URL"
        );
        assert_eq!(error.into_detail(), "file is not a database (code 26)");
        fs::remove_file(file).unwrap();
    }

    #[tokio::test]
    async fn waiting_and_failed_operations_are_counted() {
        let DatabaseUrl::Sqlite(url) = DatabaseUrl::parse("sqlite::memory:").unwrap() else {
            panic!("the URL is not of SQLite");
        };
        let connections = Connections::open_sqlite(url, 1).await.unwrap();
        let lease = connections.lease().await.unwrap();
        let clone = connections.clone();
        {
            let waiting = pin!(clone.lease());
            assert!(waiting.poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert_eq!((connections.waiting(), connections.failed()), (1, 0));
        }
        assert_eq!((connections.waiting(), connections.failed()), (0, 0));
        drop(lease);
        connections.close().await;
        assert!(connections.lease().await.is_err());
        assert_eq!((connections.waiting(), connections.failed()), (0, 1));
    }
}
