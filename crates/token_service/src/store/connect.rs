//! Connections to a database, and its migrations.

use crate::store::{
    Database, Store, StoreError, StoreErrorKind,
    database_url::{self, DatabaseUrl, OPEN},
    password::Password,
    sql::SqlDatabase,
};
use azure_core::credentials::TokenCredential;
use sqlx::{
    Connection, PgConnection, PgPool, SqlSafeStr as _, SqlitePool,
    migrate::{MigrateError, Migration, MigrationType, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use std::{future::Future, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use url::form_urlencoded;

/// The limit for opening a connection and for the wait for one. On SQLite, also for the wait for another transaction.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The limit of a migration, also of one that another replica runs.
const MIGRATION_TIMEOUT: Duration = Duration::from_mins(1);

/// The pause before a locked database is opened again.
const REOPEN_DELAY: Duration = Duration::from_millis(20);

const MIGRATE: &str = "bring the database's tables up to date";

impl Store {
    /// Connects to the database and migrates its tables. Several replicas can do so at once.
    ///
    /// `url` has one of these forms. No error or log line shows it.
    ///
    /// * `sqlite://PATH` or `sqlite:PATH`: a file, which is created if it is missing, unless the URL has `?mode=rw`.
    ///   `sqlite::memory:` is a database that lives as long as the store.
    /// * `postgres://USER:PASSWORD@HOST/DATABASE` or `postgresql://…`, with the parameters of libpq that
    ///   [sqlx](https://docs.rs/sqlx/0.9/sqlx/postgres/struct.PgConnectOptions.html) knows. Over a network,
    ///   `?sslmode=verify-full` verifies the server, and `sslrootcert` names its CA.
    ///
    /// `max_connections` bounds the open connections; a database in memory has one. An operation waits at most 5 seconds for
    /// a connection.
    ///
    /// # Errors
    ///
    /// If the URL has another scheme or unknown parameters, if the database cannot be reached or refuses the credentials, or
    /// if its tables have a newer version.
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
        let database: Arc<dyn Database> = match DatabaseUrl::parse(url)? {
            DatabaseUrl::Sqlite(options) => Arc::new(connect_sqlite(url, options, max_connections).await?),
            DatabaseUrl::Postgres(options) => {
                let pool = postgres_pool(options, max_connections).await?;
                Arc::new(migrate_postgres(pool).await?)
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
        credential: Arc<dyn TokenCredential>,
        scope: &str,
    ) -> Result<Self, StoreError> {
        let options = database_url::postgres_without_password(url)?;
        let password = Password::new(credential, scope);
        let first = password.request().await?;
        let pool = postgres_pool(options.password(first.token.secret()), max_connections).await?;
        let renewal = AbortOnDropHandle::new(tokio::spawn(password.renew(pool.clone(), first)));
        Ok(Self {
            database: Arc::new(migrate_postgres(pool).await?),
            _renewal: Some(Arc::new(renewal)),
        })
    }
}

async fn connect_sqlite(
    url: &str,
    options: SqliteConnectOptions,
    max_connections: u32,
) -> Result<SqlDatabase<sqlx::Sqlite>, StoreError> {
    let mode = sqlite_mode(url);
    let options = match mode.as_deref() {
        None => options.create_if_missing(true),
        Some(_) => options,
    };
    let options = options
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(CONNECT_TIMEOUT)
        .foreign_keys(true);
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
    let database = SqlDatabase::new(pool, "BEGIN IMMEDIATE");
    // The transaction is the lock, as sqlx has none for SQLite. `run` does not compile for a connection in a `Send` future.
    let migration = async {
        let mut transaction = database.begin().await?;
        migrations().run_direct(None, &mut *transaction, false).await?;
        transaction.commit().await?;
        Ok(())
    };
    migrate(migration).await?;
    Ok(database)
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

async fn postgres_pool(options: PgConnectOptions, max_connections: u32) -> Result<PgPool, StoreError> {
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
        .connect_with(options)
        .await
        .map_err(|error| StoreError::from_connection(OPEN, error))
}

async fn migrate_postgres(pool: PgPool) -> Result<SqlDatabase<sqlx::Postgres>, StoreError> {
    migrate(migrations().run(&pool)).await?;
    Ok(SqlDatabase::new(pool, "BEGIN"))
}

/// Returns the migrations in `migrations/`. `sqlx::migrate!` would embed them too, and build the database drivers twice.
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

async fn migrate(migration: impl Future<Output = Result<(), MigrateError>>) -> Result<(), StoreError> {
    match timeout(MIGRATION_TIMEOUT, migration).await {
        Ok(outcome) => outcome.map_err(|error| StoreError::from_migration(MIGRATE, error)),
        Err(_) => Err(StoreError::new(
            MIGRATE,
            StoreErrorKind::Unavailable,
            "it was not done within a minute",
        )),
    }
}
