//! The connections to one database, and operations on them.

use crate::{
    error::{DatabaseError, DatabaseErrorKind},
    lease::{Lease, Work},
};
use sqlx::{
    Executor, FromRow, IntoArguments, Pool, SqlSafeStr as _,
    database::HasStatementCache,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
    query::{Query, QueryAs},
    raw_sql,
};
use std::{
    borrow::Cow,
    fmt::{self, Debug, Formatter},
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::timeout;

/// The limit of an operation, its wait for a connection included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The limit of a migration, also of one that another process runs.
const MIGRATION_TIMEOUT: Duration = Duration::from_mins(1);

/// The differences between the databases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dialect {
    /// The statement that starts a transaction with writes.
    pub(crate) begin: &'static str,
    /// The statements around a migration, in its transaction.
    pub(crate) around_migration: [&'static str; 2],
    /// Set if the connection of an interrupted operation must be closed.
    pub(crate) closes_interrupted: bool,
    /// Set behind a pooler, each of whose transactions can have another connection to the server. Then each statement is
    /// part of a transaction, and none has a name.
    pub(crate) behind_pooler: bool,
}

/// The versions of a program's tables.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The table of the versions. Each program of a database has one.
    pub table: &'static str,
    /// Version, name and SQL of each. `sqlx::migrate!` would embed them too, and build the database drivers twice.
    pub files: &'static [(i64, &'static str, &'static str)],
}

/// A pool of connections. Clones share it.
pub struct Connections<DB: sqlx::Database> {
    pool: Pool<DB>,
    dialect: Dialect,
    waits: Arc<Waits>,
}

/// The operations that wait for a connection, and those that got none.
#[derive(Debug, Default)]
struct Waits {
    waiting: AtomicU32,
    failed: AtomicU64,
}

/// Counts an operation while it waits.
struct Waiting<'a>(&'a AtomicU32);

impl<DB: sqlx::Database> Connections<DB> {
    pub(crate) fn new(pool: Pool<DB>, dialect: Dialect) -> Self {
        Self {
            pool,
            dialect,
            waits: Arc::default(),
        }
    }

    /// Returns the pool.
    #[must_use]
    pub fn pool(&self) -> &Pool<DB> {
        &self.pool
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// Those of the pool.
    pub async fn lease(&self) -> sqlx::Result<Lease<DB>> {
        let _waiting = Waiting::new(&self.waits.waiting);
        let lease = Lease::acquire(&self.pool, self.dialect.closes_interrupted).await;
        if lease.is_err() {
            self.waits.failed.fetch_add(1, Ordering::Relaxed);
        }
        lease
    }

    /// Returns the number of operations that wait for a connection.
    #[must_use]
    pub fn waiting(&self) -> u32 {
        self.waits.waiting.load(Ordering::Relaxed)
    }

    /// Returns the number of operations that got no connection.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.waits.failed.load(Ordering::Relaxed)
    }

    /// Begins to work with one statement.
    ///
    /// # Errors
    ///
    /// If the database refuses a transaction, which a pooler needs.
    pub async fn statement<'c>(&self, lease: &'c mut Lease<DB>) -> sqlx::Result<Work<'c, DB>> {
        if self.dialect.behind_pooler {
            lease.transaction(self.dialect.begin).await
        } else {
            lease.statement()
        }
    }

    /// Begins a transaction with writes.
    ///
    /// # Errors
    ///
    /// If the database refuses it.
    pub async fn transaction<'c>(&self, lease: &'c mut Lease<DB>) -> sqlx::Result<Work<'c, DB>> {
        lease.transaction(self.dialect.begin).await
    }

    /// Returns whether statements have names.
    #[must_use]
    pub fn named(&self) -> bool {
        !self.dialect.behind_pooler
    }

    /// Closes the connections when running operations have finished.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The operations of one statement.
impl<DB> Connections<DB>
where
    DB: sqlx::Database + HasStatementCache,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    /// Executes a statement.
    ///
    /// # Errors
    ///
    /// If the database refuses it, or does not answer in time.
    pub async fn execute(&self, query: Query<'_, DB, DB::Arguments>) -> Result<(), DatabaseError> {
        let query = query.persistent(self.named());
        with_timeout(async {
            let mut lease = self.lease().await?;
            let mut work = self.statement(&mut lease).await?;
            query.execute(&mut *work).await?;
            work.commit().await?;
            lease.finish();
            Ok(())
        })
        .await
    }

    /// Returns the rows of a statement.
    ///
    /// # Errors
    ///
    /// If the database refuses it, or does not answer in time.
    pub async fn fetch_all<T>(&self, query: QueryAs<'_, DB, T, DB::Arguments>) -> Result<Vec<T>, DatabaseError>
    where
        T: Send + Unpin + for<'r> FromRow<'r, DB::Row>,
    {
        let query = query.persistent(self.named());
        with_timeout(async {
            let mut lease = self.lease().await?;
            let mut work = self.statement(&mut lease).await?;
            let rows = query.fetch_all(&mut *work).await?;
            work.commit().await?;
            lease.finish();
            Ok(rows)
        })
        .await
    }

    /// Returns the only row of a statement, or `None`.
    ///
    /// # Errors
    ///
    /// If the database refuses it, or does not answer in time.
    pub async fn fetch_optional<T>(&self, query: QueryAs<'_, DB, T, DB::Arguments>) -> Result<Option<T>, DatabaseError>
    where
        T: Send + Unpin + for<'r> FromRow<'r, DB::Row>,
    {
        Ok(self.fetch_all(query).await?.pop())
    }

    /// Creates or changes the tables, in one transaction. Several processes can do so at once. Versions that this program
    /// does not know are ignored, as those of newer ones.
    ///
    /// # Errors
    ///
    /// If the database refuses a statement, does not answer in time, or has another content of a version.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<(), DatabaseError>
    where
        DB::Connection: Migrate,
    {
        let [before, after] = self.dialect.around_migration;
        let migration = async {
            let mut lease = self.lease().await?;
            let mut work = self.transaction(&mut lease).await?;
            raw_sql(before.into_sql_str()).execute(&mut *work).await?;
            migrator(migrations).run_direct(None, &mut *work, false).await?;
            raw_sql(after.into_sql_str()).execute(&mut *work).await?;
            work.commit().await?;
            lease.finish();
            Ok::<_, MigrateError>(())
        };
        match timeout(MIGRATION_TIMEOUT, migration).await {
            Ok(outcome) => outcome.map_err(DatabaseError::from_migration),
            Err(_) => Err(DatabaseError::new(
                DatabaseErrorKind::Unavailable,
                "it was not done within a minute",
            )),
        }
    }
}

/// Returns the migrator, which needs a transaction as its lock, and ignores the versions of newer programs.
fn migrator(migrations: &Migrations) -> Migrator {
    let files = migrations.files.iter().map(|(version, description, sql)| {
        Migration::new(
            *version,
            Cow::Borrowed(*description),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(files.collect());
    // PostgreSQL's own lock is bound to a session, which a pooler of transactions shares out.
    migrator.set_ignore_missing(true).set_locking(false);
    migrator.dangerous_set_table_name(migrations.table);
    migrator
}

/// Bounds the time of an operation.
///
/// # Errors
///
/// That of the operation, or that the database did not answer in time.
pub async fn with_timeout<T>(work: impl Future<Output = sqlx::Result<T>>) -> Result<T, DatabaseError> {
    match timeout(OPERATION_TIMEOUT, work).await {
        Ok(outcome) => outcome.map_err(DatabaseError::from_operation),
        Err(_) => Err(DatabaseError::new(
            DatabaseErrorKind::Unavailable,
            format!(
                "the database did not answer within {} seconds",
                OPERATION_TIMEOUT.as_secs()
            ),
        )
        .with_unknown_outcome()),
    }
}

impl<DB: sqlx::Database> Clone for Connections<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            dialect: self.dialect,
            waits: self.waits.clone(),
        }
    }
}

/// Hides the URL of the database.
impl<DB: sqlx::Database> Debug for Connections<DB> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("dialect", &self.dialect)
            .finish_non_exhaustive()
    }
}
