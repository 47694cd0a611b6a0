//! Connections to a database, and its migrations.

use crate::store::{
    Database, Store, StoreError, StoreErrorKind,
    error::OPEN,
    listener::Listener,
    password::Password,
    sql::{Dialect, SqlDatabase},
};
use azure_core::credentials::TokenCredential;
use database::{Connections, DatabaseError, DatabaseUrl, PostgresUrl, SqliteUrl};
use sqlx::{Postgres, Sqlite};
use std::sync::Arc;
use tokio_util::task::AbortOnDropHandle;

/// The use of the tables at the connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tables {
    Migrate,
    Check,
    /// As `Check`, but without the creation of a database.
    Inspect,
}

impl Store {
    /// Checks the URL of a database as [`connect`](Self::connect) does, without connecting.
    ///
    /// # Errors
    ///
    /// If the URL has another scheme, unknown parameters, or characters that must be percent-encoded.
    pub fn check_url(url: &str) -> Result<(), StoreError> {
        DatabaseUrl::parse(url).map(drop).map_err(not_opened)
    }

    /// Checks the URL of a database as [`connect_with_credential`](Self::connect_with_credential) does, without connecting.
    ///
    /// # Errors
    ///
    /// Those of [`check_url`](Self::check_url). If the URL is one of SQLite, has a password or has no user.
    pub fn check_url_without_password(url: &str) -> Result<(), StoreError> {
        PostgresUrl::parse_without_password(url).map(drop).map_err(not_opened)
    }

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
        let database: Arc<dyn Database> = match DatabaseUrl::parse(url).map_err(not_opened)? {
            DatabaseUrl::Sqlite(url) => Arc::new(Box::pin(connect_sqlite(url, max_connections, tables)).await?),
            DatabaseUrl::Postgres(url) => {
                let pool = Connections::open_postgres(url, max_connections).await;
                Arc::new(Box::pin(postgres_database(pool.map_err(not_opened)?, tables)).await?)
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
        let url = PostgresUrl::parse_without_password(url).map_err(not_opened)?;
        let password = Password::new(credential, scope);
        let first = password.request().await?;
        let url = url.with_password(first.token.secret());
        let pool = Connections::open_postgres(url, max_connections).await;
        let pool = pool.map_err(not_opened)?;
        let renewal = AbortOnDropHandle::new(tokio::spawn(password.renew(pool.pool().clone(), first)));
        let tables = if migrate { Tables::Migrate } else { Tables::Check };
        Ok(Self {
            database: Arc::new(Box::pin(postgres_database(pool, tables)).await?),
            _renewal: Some(Arc::new(renewal)),
        })
    }
}

async fn connect_sqlite(
    url: SqliteUrl,
    max_connections: u32,
    tables: Tables,
) -> Result<SqlDatabase<Sqlite>, StoreError> {
    let url = if tables == Tables::Inspect {
        existing(url)?
    } else {
        url.created_without_mode()
    };
    let pool = Connections::open_sqlite(url, max_connections).await;
    let dialect = Dialect {
        // A page of the file with the value that it has.
        ping: "PRAGMA user_version = 0",
        notify: None,
    };
    let database = SqlDatabase::new(pool.map_err(not_opened)?, dialect, None);
    if tables == Tables::Migrate {
        database.migrate().await?;
    }
    database.check_version().await?;
    Ok(database)
}

/// Returns the URL for a file that exists.
fn existing(url: SqliteUrl) -> Result<SqliteUrl, StoreError> {
    let missing = |reason| StoreError::new(OPEN, StoreErrorKind::OutdatedTables, reason);
    if url.is_in_memory() {
        return Err(missing("it is in memory, and begins with the service"));
    }
    match url.file().try_exists() {
        Ok(false) => Err(missing("its file does not exist yet")),
        // A failure shows when it is opened.
        Ok(true) | Err(_) => Ok(url.without_changes()),
    }
}

async fn postgres_database(pool: Connections<Postgres>, tables: Tables) -> Result<SqlDatabase<Postgres>, StoreError> {
    let dialect = Dialect {
        ping: "SELECT 1",
        notify: Some("SELECT pg_notify($1, $2)"),
    };
    // A pooler gives the session that listens to others.
    let listener = pool.named().then(|| Listener::new(pool.pool().clone()));
    let database = SqlDatabase::new(pool, dialect, listener);
    if tables == Tables::Migrate {
        database.migrate().await?;
    }
    database.check_version().await?;
    Ok(database)
}

fn not_opened(error: DatabaseError) -> StoreError {
    StoreError::from_database(OPEN, error)
}
