//! The store that a URL names.

use crate::store::{Database, StoreError, StoreErrorKind, sql::SqlDatabase};
use sqlx::{
    Connection, PgConnection, SqlSafeStr as _, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use url::{Url, form_urlencoded};

/// How long a connection is waited for and, on SQLite, the end of another's transaction.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the tables may take to be brought up to date, also where another replica is at it.
const MIGRATION_PATIENCE: Duration = Duration::from_mins(1);

/// After how long a database that was locked is opened again.
const AGAIN: Duration = Duration::from_millis(20);

const OPEN: &str = "open the database";
const MIGRATE: &str = "bring the database's tables up to date";

/// What the service remembers of its users, in SQLite or PostgreSQL. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Store {
    pub(crate) database: Arc<dyn Database>,
}

impl Store {
    /// Connects to the database and brings its tables up to date; several replicas may do so at once.
    ///
    /// `url` is one of these, and no error or log line shows it:
    ///
    /// * `sqlite://PATH` or `sqlite:PATH`, of a file that is created if it is missing, unless the URL says `?mode=rw`.
    ///   `sqlite::memory:` is a database that ends with the store.
    /// * `postgres://USER:PASSWORD@HOST/DATABASE` or `postgresql://…`, with the parameters of libpq that
    ///   [sqlx](https://docs.rs/sqlx/0.9/sqlx/postgres/struct.PgConnectOptions.html) knows. Over a network,
    ///   `?sslmode=verify-full` makes sure that it is the right server; `sslrootcert` names its authority.
    ///
    /// `max_connections` bounds the connections that are open at once; in memory, SQLite has one. An operation waits for
    /// one for 5 seconds at most.
    ///
    /// # Errors
    ///
    /// If the URL has another scheme or unknown parameters, the database cannot be reached or refuses the caller, or its
    /// tables are of a newer version.
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
        let database: Arc<dyn Database> = match url.split_once(':') {
            Some(("sqlite", _)) => Arc::new(sqlite(url, max_connections).await?),
            Some(("postgres" | "postgresql", _)) => Arc::new(postgres(url, max_connections).await?),
            _ => return Err(unusable("the URL has to begin with sqlite:, postgres: or postgresql:")),
        };
        Ok(Self { database })
    }
}

async fn sqlite(url: &str, max_connections: u32) -> Result<SqlDatabase<sqlx::Sqlite>, StoreError> {
    let mode = sqlite_mode(url);
    let options: SqliteConnectOptions = url
        .parse()
        .map_err(|_| unusable("the URL is not one of SQLite, such as sqlite://token_service.db"))?;
    let options = match mode.as_deref() {
        None => options.create_if_missing(true),
        Some(_) => options,
    };
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(PATIENCE)
        .foreign_keys(true);
    // A database in memory ends with its last connection, and has no other to wait for.
    let connections = if mode.as_deref() == Some("memory") {
        1
    } else {
        max_connections
    };
    let pool = SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None);
    let opened = timeout(PATIENCE, opened(pool, options)).await;
    let pool = opened.unwrap_or_else(|_| Err(StoreError::new(OPEN, StoreErrorKind::Unavailable, "it is locked")))?;
    let database = SqlDatabase::new(pool, "BEGIN IMMEDIATE");
    // Here sqlx takes no lock of its own. `run` does not compile for a connection in a future that is sent.
    let migration = async {
        let mut transaction = database.begin().await?;
        migrations().run_direct(None, &mut *transaction, false).await?;
        transaction.commit().await?;
        Ok(())
    };
    migrated(migration).await?;
    Ok(database)
}

/// Opens an SQLite database. Where another store makes its journal a write-ahead log just then, SQLite does not wait.
async fn opened(pool: SqlitePoolOptions, options: SqliteConnectOptions) -> Result<SqlitePool, StoreError> {
    loop {
        match pool.clone().connect_with(options.clone()).await {
            Ok(pool) => return Ok(pool),
            Err(error) => {
                let error = StoreError::of_connection(OPEN, error);
                if error.kind() != StoreErrorKind::Unavailable {
                    return Err(error);
                }
            }
        }
        sleep(AGAIN).await;
    }
}

/// The `mode` that the URL gives, and `memory` for what is another name of that.
fn sqlite_mode(url: &str) -> Option<String> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if path.ends_with(":memory:") {
        return Some("memory".to_owned());
    }
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "mode")
        .map(|(_, mode)| mode.into_owned())
}

async fn postgres(url: &str, max_connections: u32) -> Result<SqlDatabase<sqlx::Postgres>, StoreError> {
    let example = "the URL is not one of PostgreSQL, such as postgres://user:password@host/database";
    let parsed = Url::parse(url).map_err(|_| unusable(example))?;
    if let Some((name, _)) = parsed.query_pairs().find(|(name, _)| !is_postgres_parameter(name)) {
        return Err(unusable(&format!("the URL's parameter {name:?} is unknown")));
    }
    let options: PgConnectOptions = url.parse().map_err(|_| unusable(example))?;
    // The pool would try until its time is over, and not tell why it could not connect.
    let first = timeout(PATIENCE, PgConnection::connect_with(&options)).await;
    first
        .map_err(|_| {
            StoreError::new(
                OPEN,
                StoreErrorKind::Unavailable,
                "the server did not answer within 5 seconds",
            )
        })?
        .map_err(|error| StoreError::of_connection(OPEN, error))?
        .close()
        .await
        .map_err(|error| StoreError::of_connection(OPEN, error))?;
    let pool = PgPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await
        .map_err(|error| StoreError::of_connection(OPEN, error))?;
    migrated(migrations().run(&pool)).await?;
    Ok(SqlDatabase::new(pool, "BEGIN"))
}

/// Whether sqlx knows this parameter. It would go on without it otherwise, and log its value.
fn is_postgres_parameter(name: &str) -> bool {
    const KNOWN: [&str; 18] = [
        "application_name",
        "dbname",
        "host",
        "hostaddr",
        "options",
        "password",
        "port",
        "ssl-ca",
        "ssl-cert",
        "ssl-key",
        "ssl-mode",
        "ssl-root-cert",
        "sslcert",
        "sslkey",
        "sslmode",
        "sslrootcert",
        "statement-cache-capacity",
        "user",
    ];
    KNOWN.contains(&name) || name.starts_with("options[")
}

/// The migrations in `migrations/`. `sqlx::migrate!` would embed them too, and build the database drivers a second time,
/// for the compiler.
fn migrations() -> Migrator {
    let users = include_str!("../../migrations/0001_users.sql");
    Migrator::with_migrations(vec![Migration::new(
        1,
        "users".into(),
        MigrationType::Simple,
        users.into_sql_str(),
        false,
    )])
}

async fn migrated(migration: impl Future<Output = Result<(), MigrateError>>) -> Result<(), StoreError> {
    match timeout(MIGRATION_PATIENCE, migration).await {
        Ok(outcome) => outcome.map_err(|error| StoreError::of_migration(MIGRATE, error)),
        Err(_) => Err(StoreError::new(
            MIGRATE,
            StoreErrorKind::Unavailable,
            "it was not done within a minute",
        )),
    }
}

fn unusable(what: &str) -> StoreError {
    StoreError::new(OPEN, StoreErrorKind::Configuration, what)
}
