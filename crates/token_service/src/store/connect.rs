//! Connections to a database, and its migrations.

use crate::store::{
    Database, Store, StoreError, StoreErrorKind,
    database_url::{self, DatabaseUrl, OPEN},
    listener::Listener,
    password::Password,
    sql::{Dialect, SqlDatabase},
};
use azure_core::credentials::TokenCredential;
use sqlx::{
    Connection, PgConnection, PgPool, SqlitePool,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use url::form_urlencoded;

/// The limit for opening a connection and for the wait for one. On SQLite, also for the wait for another transaction.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The pause before a locked database is opened again.
const REOPEN_DELAY: Duration = Duration::from_millis(20);

/// The time after which an idle connection to PostgreSQL is closed. Networks forget silent connections, Azure's after four
/// minutes.
const IDLE_TIMEOUT: Duration = Duration::from_mins(3);

/// The limit for the check of a connection before its next use.
const CHECK_TIMEOUT: Duration = Duration::from_secs(1);

/// The lock for migrations, which ends with the transaction.
const POSTGRES_LOCK: &str = "SELECT pg_advisory_xact_lock(8389754676633366889)";
/// The same behind a pooler, where statements with names are of another client, or would stay for one.
const POOLER_LOCK: &str = "SELECT pg_advisory_xact_lock(8389754676633366889); DEALLOCATE ALL";

/// The use of the tables at the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tables {
    Migrate,
    Check,
    /// As `Check`, but without the creation of a database.
    Inspect,
}

impl Store {
    /// Connects to the database and migrates its tables. Several replicas can do so at once.
    ///
    /// `url` has one of these forms. No error or log line shows it.
    ///
    /// * `sqlite://PATH` or `sqlite:PATH`: a file, which is created if it is missing, unless the URL has `?mode=rw`.
    ///   `sqlite::memory:` is a database that lives as long as the store.
    /// * `postgres://USER:PASSWORD@HOST/DATABASE` or `postgresql://…`, with the parameters of libpq that
    ///   [sqlx](https://docs.rs/sqlx/0.9/sqlx/postgres/struct.PgConnectOptions.html) knows. Over a network,
    ///   `?sslmode=verify-full` verifies the server, and `sslrootcert` names its CA. `?statement-cache-capacity=0` is for a
    ///   pooler that pools transactions, such as `PgBouncer`: no statement has a name then, and no change is announced.
    ///
    /// `max_connections` bounds the open connections; a database in memory has one. An operation waits at most 5 seconds for
    /// a connection.
    ///
    /// # Errors
    ///
    /// If the URL has another scheme or unknown parameters, if the database cannot be reached or refuses the credentials, or
    /// if a newer version has changed its tables so that this version cannot use them.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), token_service::StoreError> {
    /// use token_service::Store;
    ///
    /// let store = Store::connect("sqlite::memory:", 1).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Self::connect_to(url, max_connections, Tables::Migrate).await
    }

    /// Connects to a database whose tables are up to date, for a user without the right to change them.
    ///
    /// The arguments and errors are those of [`connect`](Self::connect), which is to be called before by a user who has that
    /// right, such as in `token_service migrate`. Tables that are not up to date are an error.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect), and tables that are not up to date.
    pub async fn connect_without_migration(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Self::connect_to(url, max_connections, Tables::Check).await
    }

    /// Connects to a database as [`connect_without_migration`](Self::connect_without_migration) does, and changes nothing: it
    /// creates no file of SQLite.
    ///
    /// # Errors
    ///
    /// Those of [`connect_without_migration`](Self::connect_without_migration). If the file does not exist, or the database is
    /// one in memory: [`OutdatedTables`](StoreErrorKind::OutdatedTables).
    pub async fn connect_without_changes(url: &str, max_connections: u32) -> Result<Self, StoreError> {
        Self::connect_to(url, max_connections, Tables::Inspect).await
    }

    async fn connect_to(url: &str, max_connections: u32, tables: Tables) -> Result<Self, StoreError> {
        let database: Arc<dyn Database> = match DatabaseUrl::parse(url)? {
            DatabaseUrl::Sqlite(options) => {
                Arc::new(Box::pin(connect_sqlite(url, options, max_connections, tables)).await?)
            }
            DatabaseUrl::Postgres(options) => {
                let pool = postgres_pool(url, options, max_connections).await?;
                Arc::new(Box::pin(postgres_database(url, pool, tables)).await?)
            }
        };
        Ok(Self {
            database,
            _renewal: None,
        })
    }

    /// Connects to PostgreSQL with tokens of a credential as passwords, such as to
    /// [Azure's databases](https://learn.microsoft.com/azure/postgresql/security/security-entra-concepts).
    ///
    /// The password of new connections is renewed when half of a token's lifetime is over. Open connections outlive their
    /// token.
    ///
    /// # Arguments
    ///
    /// * `url` - As for [`connect`](Self::connect), with a user and without a password. Azure's databases need
    ///   `?sslmode=require` at least.
    /// * `max_connections` - As for [`connect`](Self::connect).
    /// * `migrate` - Set to migrate the tables as [`connect`](Self::connect) does. Otherwise, they must be up to date, as for
    ///   [`connect_without_migration`](Self::connect_without_migration).
    /// * `credential` - The source of tokens.
    /// * `scope` - The scope of the tokens: `https://ossrdbms-aad.database.windows.net/.default` for the worldwide cloud.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect). If the URL is one of SQLite, has a password or has no user, or if the credential
    /// provides no token.
    pub async fn connect_with_credential(
        url: &str,
        max_connections: u32,
        migrate: bool,
        credential: Arc<dyn TokenCredential>,
        scope: &str,
    ) -> Result<Self, StoreError> {
        let options = database_url::postgres_without_password(url)?;
        let password = Password::new(credential, scope);
        let first = password.request().await?;
        let pool = postgres_pool(url, options.password(first.token.secret()), max_connections).await?;
        let renewal = AbortOnDropHandle::new(tokio::spawn(password.renew(pool.clone(), first)));
        let tables = if migrate { Tables::Migrate } else { Tables::Check };
        Ok(Self {
            database: Arc::new(Box::pin(postgres_database(url, pool, tables)).await?),
            _renewal: Some(Arc::new(renewal)),
        })
    }
}

async fn connect_sqlite(
    url: &str,
    options: SqliteConnectOptions,
    max_connections: u32,
    tables: Tables,
) -> Result<SqlDatabase<sqlx::Sqlite>, StoreError> {
    let mode = sqlite_mode(url);
    let options = match mode.as_deref() {
        _ if tables == Tables::Inspect => existing(options, mode.as_deref())?,
        None => options.create_if_missing(true).journal_mode(SqliteJournalMode::Wal),
        Some(_) => options.journal_mode(SqliteJournalMode::Wal),
    };
    let options = options.busy_timeout(CONNECT_TIMEOUT).foreign_keys(true);
    // A database in memory belongs to one connection, and ends with it.
    let connections = if mode.as_deref() == Some("memory") {
        1
    } else {
        max_connections
    };
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None);
    let opened = timeout(CONNECT_TIMEOUT, open_pool(pool, options)).await;
    let pool = opened.unwrap_or_else(|_| Err(StoreError::new(OPEN, StoreErrorKind::Unavailable, "it is locked")))?;
    let dialect = Dialect {
        begin: "BEGIN IMMEDIATE",
        // A page of the file with the value that it has.
        ping: "PRAGMA user_version = 0",
        notify: None,
        closes_interrupted: false,
        behind_pooler: false,
    };
    let database = SqlDatabase::new(pool, dialect, None);
    if tables == Tables::Migrate {
        // The transaction is the lock.
        database.migrate("SELECT 1", "SELECT 1").await?;
    }
    database.check_version().await?;
    Ok(database)
}

/// Returns the options for a file that exists.
fn existing(options: SqliteConnectOptions, mode: Option<&str>) -> Result<SqliteConnectOptions, StoreError> {
    let missing = |reason| StoreError::new(OPEN, StoreErrorKind::OutdatedTables, reason);
    if mode == Some("memory") {
        return Err(missing("it is in memory, and begins with the service"));
    }
    match options.get_filename().try_exists() {
        Ok(false) => Err(missing("its file does not exist yet")),
        // A failure shows when it is opened.
        Ok(true) | Err(_) => Ok(options.create_if_missing(false)),
    }
}

/// Opens an SQLite database. SQLite does not wait while another store switches it to a write-ahead log, so this retries.
async fn open_pool(pool: SqlitePoolOptions, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    loop {
        match pool.clone().connect_with(options.clone()).await {
            Ok(pool) => return Ok(pool),
            Err(error) => {
                let error = StoreError::from_connection(OPEN, error);
                if error.kind() != StoreErrorKind::Unavailable {
                    return Err(error);
                }
            }
        }
        sleep(REOPEN_DELAY).await;
    }
}

/// Returns the `mode` of a URL. `:memory:` is another name of `memory`.
fn sqlite_mode(url: &str) -> Option<String> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if path.ends_with(":memory:") {
        return Some("memory".to_owned());
    }
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "mode")
        .map(|(_, mode)| mode.into_owned())
}

async fn postgres_pool(url: &str, mut options: PgConnectOptions, max_connections: u32) -> Result<PgPool, StoreError> {
    if is_behind_pooler(url) {
        // PgBouncer refuses this parameter.
        options = options.extra_float_digits(None);
    }
    // The pool would retry until its timeout, and hide why it cannot connect.
    let first = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options)).await;
    first
        .map_err(|_| {
            StoreError::new(
                OPEN,
                StoreErrorKind::Unavailable,
                "the server did not answer within 5 seconds",
            )
        })?
        .map_err(|error| StoreError::from_connection(OPEN, error))?
        .close()
        .await
        .map_err(|error| StoreError::from_connection(OPEN, error))?;
    PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(CONNECT_TIMEOUT)
        .idle_timeout(IDLE_TIMEOUT)
        // The pool's own check has no limit.
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(check(connection)))
        .connect_with(options)
        .await
        .map_err(|error| StoreError::from_connection(OPEN, error))
}

/// Returns whether a URL is for a pooler that pools transactions.
fn is_behind_pooler(url: &str) -> bool {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "statement-cache-capacity" && value == "0")
}

async fn postgres_database(url: &str, pool: PgPool, tables: Tables) -> Result<SqlDatabase<sqlx::Postgres>, StoreError> {
    let behind_pooler = is_behind_pooler(url);
    let dialect = Dialect {
        begin: "BEGIN",
        ping: "SELECT 1",
        notify: Some("SELECT pg_notify($1, $2)"),
        closes_interrupted: true,
        behind_pooler,
    };
    // A pooler gives the session that listens to others.
    let listener = (!behind_pooler).then(|| Listener::new(pool.clone()));
    let database = SqlDatabase::new(pool, dialect, listener);
    if tables == Tables::Migrate {
        if behind_pooler {
            database.migrate(POOLER_LOCK, "DEALLOCATE ALL").await?;
        } else {
            database.migrate(POSTGRES_LOCK, "SELECT 1").await?;
        }
    }
    database.check_version().await?;
    Ok(database)
}

/// Checks a connection that was idle. The server can be gone without a trace.
async fn check(connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
    match timeout(CHECK_TIMEOUT, connection.ping()).await {
        Ok(checked) => checked.map(|()| true),
        Err(elapsed) => Err(sqlx::Error::Io(elapsed.into())),
    }
}
