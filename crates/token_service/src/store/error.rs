//! Why the store failed.

use sqlx::migrate::MigrateError;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

/// Why the store could not do what was asked of it.
///
/// It holds nothing of a user, and of the database's URL at most the names of its host, database and user.
#[derive(Debug)]
pub struct StoreError {
    operation: &'static str,
    kind: StoreErrorKind,
    detail: String,
}

/// The kinds of [`StoreError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The database's URL cannot be used.
    Configuration,
    /// The database was not reached, did not answer in time, or is too busy: the same operation may succeed later.
    Unavailable,
    /// What was to be stored is longer than what is stored, or holds a NUL character.
    InvalidValue,
    /// The database refused the operation, or holds what this version cannot read.
    Database,
}

impl StoreError {
    pub(super) fn new(operation: &'static str, kind: StoreErrorKind, detail: impl Into<String>) -> Self {
        Self {
            operation,
            kind,
            detail: detail.into(),
        }
    }

    pub(super) fn unreadable(operation: &'static str, what: &str) -> Self {
        Self::new(
            operation,
            StoreErrorKind::Database,
            format!("the database holds {what} that cannot be read"),
        )
    }

    /// A failure while values of users are with the database, whose messages may repeat them: its code has to do.
    pub(super) fn of_operation(operation: &'static str, error: sqlx::Error) -> Self {
        Self::of(operation, error, |_| None)
    }

    /// A failure while the database has nothing of users yet, so that its message can be told.
    pub(super) fn of_connection(operation: &'static str, error: sqlx::Error) -> Self {
        Self::of(operation, error, |message| Some(message.to_owned()))
    }

    /// A failure to bring the database's tables up to date.
    pub(super) fn of_migration(operation: &'static str, error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::of_operation(operation, error)
            }
            // These name the versions of migrations.
            other => Self::new(operation, StoreErrorKind::Database, other.to_string()),
        }
    }

    /// What kind of failure it was.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    fn of(operation: &'static str, error: sqlx::Error, tell: impl FnOnce(&str) -> Option<String>) -> Self {
        use StoreErrorKind::{Configuration, Database, Unavailable};
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                let kind = if is_passing(&code) { Unavailable } else { Database };
                let detail = match tell(error.message()) {
                    Some(message) => format!("{message} (code {code})"),
                    None => format!("the database answered with code {code}"),
                };
                Self::new(operation, kind, detail)
            }
            // Of sockets, host names and certificates.
            sqlx::Error::Io(error) => Self::new(
                operation,
                Unavailable,
                format!("the connection to the database failed: {error}"),
            ),
            sqlx::Error::PoolTimedOut => Self::new(
                operation,
                Unavailable,
                "no database connection became available within 5 seconds",
            ),
            sqlx::Error::PoolClosed => Self::new(operation, Unavailable, "the store is closed"),
            sqlx::Error::WorkerCrashed => Self::new(operation, Unavailable, "the connection to the database crashed"),
            // It speaks of certificates.
            sqlx::Error::Tls(error) => Self::new(
                operation,
                Configuration,
                format!("TLS with the database failed: {error}"),
            ),
            sqlx::Error::Configuration(_) => Self::new(
                operation,
                Configuration,
                "the database cannot be reached as its URL says",
            ),
            sqlx::Error::ColumnDecode { index, .. } => {
                Self::unreadable(operation, &format!("a value (column {index})"))
            }
            _ => Self::new(operation, Database, "the database did not answer as expected"),
        }
    }
}

/// Whether a database's failure may be over when the operation is tried again. SQLite has the codes 5 and 6 for a busy and
/// a locked database, whose extended codes have them in their lowest byte. PostgreSQL has classes: 08 connection, 40
/// transaction rollback, 53 insufficient resources, 57 operator intervention.
fn is_passing(code: &str) -> bool {
    match code.parse::<u32>() {
        Ok(extended) if code.len() < 5 => matches!(extended & 0xff, 5 | 6),
        _ => ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)),
    }
}

impl Display for StoreError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the store could not {}: {}", self.operation, self.detail)
    }
}

impl Error for StoreError {}
