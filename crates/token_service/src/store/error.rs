//! Errors of the store.

use sqlx::migrate::MigrateError;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

/// A failure of the store.
///
/// It shows nothing of a user, and of the database's URL at most the names of host, database and user.
#[derive(Debug)]
pub struct StoreError {
    operation: &'static str,
    kind: StoreErrorKind,
    detail: String,
    outcome_unknown: bool,
}

/// The kinds of [`StoreError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StoreErrorKind {
    /// The database's URL cannot be used.
    Configuration,
    /// The database cannot be reached, did not answer in time, or is too busy. A later attempt can succeed.
    Unavailable,
    /// A value is too long, or contains a NUL character.
    InvalidValue,
    /// The tables are not up to date, or not there yet.
    OutdatedTables,
    /// The database refused the operation, or contains a value that this version cannot read.
    Database,
}

impl StoreError {
    pub(super) fn new(operation: &'static str, kind: StoreErrorKind, detail: impl Into<String>) -> Self {
        Self {
            operation,
            kind,
            detail: detail.into(),
            outcome_unknown: false,
        }
    }

    /// Marks a failure after which the operation may have been executed.
    pub(super) fn with_unknown_outcome(mut self) -> Self {
        self.outcome_unknown = true;
        self
    }

    /// Returns whether the operation may have been executed although it failed.
    pub(crate) fn is_outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    pub(super) fn unreadable(operation: &'static str, value: &str) -> Self {
        Self::new(
            operation,
            StoreErrorKind::Database,
            format!("the database holds {value} that cannot be read"),
        )
    }

    /// Wraps the failure of an operation with users' values. Only its code is kept, as a database's messages can repeat the
    /// values.
    pub(super) fn from_operation(operation: &'static str, error: sqlx::Error) -> Self {
        Self::from_sqlx(operation, error, |_| None)
    }

    /// Wraps a failure to connect. Its message is kept, as no user's value has been sent.
    pub(super) fn from_connection(operation: &'static str, error: sqlx::Error) -> Self {
        Self::from_sqlx(operation, error, |message| Some(message.to_owned()))
    }

    /// Wraps a failure to migrate the tables.
    pub(super) fn from_migration(operation: &'static str, error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                Self::from_operation(operation, error)
            }
            // The other errors name versions of migrations.
            other => Self::new(operation, StoreErrorKind::Database, other.to_string()),
        }
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> StoreErrorKind {
        self.kind
    }

    /// Returns the cause, without the operation that failed.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Wraps an error of sqlx. `message` returns the part of a database's message that is kept.
    fn from_sqlx(operation: &'static str, error: sqlx::Error, message: impl FnOnce(&str) -> Option<String>) -> Self {
        use StoreErrorKind::{Configuration, Database, Unavailable};
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                let kind = if is_transient(&code) { Unavailable } else { Database };
                let mut detail = match message(error.message()) {
                    Some(message) => format!("{message} (code {code})"),
                    None => format!("the database answered with code {code}"),
                };
                // PostgreSQL's code for a user without a right.
                if code == "42501" {
                    detail += "; grant the user of the URL what docs/deployment.md lists";
                }
                if is_of_pooler(&code) {
                    detail += ": behind a pooler of transactions, such as PgBouncer, add ?statement-cache-capacity=0 to the URL";
                }
                if let Some(remedy) = sqlite_remedy(&code) {
                    detail += "; ";
                    detail += remedy;
                }
                Self::new(operation, kind, detail)
            }
            // The message is about sockets, host names and certificates.
            sqlx::Error::Io(error) => Self::new(
                operation,
                Unavailable,
                format!("the connection to the database failed: {error}"),
            )
            .with_unknown_outcome(),
            sqlx::Error::PoolTimedOut => Self::new(
                operation,
                Unavailable,
                "no database connection became available within 5 seconds",
            ),
            sqlx::Error::PoolClosed => Self::new(operation, Unavailable, "the store is closed"),
            sqlx::Error::WorkerCrashed => {
                Self::new(operation, Unavailable, "the connection to the database crashed").with_unknown_outcome()
            }
            // The message is about certificates.
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
            _ => Self::new(operation, Database, "the database did not answer as expected").with_unknown_outcome(),
        }
    }
}

/// Returns whether an operation can succeed later. SQLite's codes 5 and 6 are a busy and a locked database. PostgreSQL has
/// classes: 08 connection, 40 transaction rollback, 53 insufficient resources, 57 operator intervention.
fn is_transient(code: &str) -> bool {
    match sqlite_code(code) {
        Some(code) => matches!(code, 5 | 6),
        None => !is_of_pooler(code) && ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)),
    }
}

/// Returns the primary [result code](https://sqlite.org/rescode.html) of SQLite, the lowest byte of an extended one.
/// PostgreSQL's codes have five letters.
fn sqlite_code(code: &str) -> Option<u32> {
    let extended: u32 = code.parse().ok().filter(|_| code.len() < 5)?;
    Some(extended & 0xff)
}

/// Returns the remedy for a file of SQLite that cannot be used.
fn sqlite_remedy(code: &str) -> Option<&'static str> {
    Some(match sqlite_code(code)? {
        8 => "let the service write to its file and to the directory",
        10 | 13 => "free space on its disk, or raise the limit on the size of files",
        11 => "the file is damaged: restore it from a backup",
        14 => "create its directory, let the service write to it, or add ?mode=rwc to the URL to create the file",
        26 => "the file is not a database of SQLite: name another one in database.url",
        _ => return None,
    })
}

/// Returns whether a pooler of transactions causes this code: an unknown parameter of the connection, a statement that another
/// client has prepared, or one that is on another connection.
fn is_of_pooler(code: &str) -> bool {
    matches!(code, "08P01" | "42P05" | "26000")
}

impl Display for StoreError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the store could not {}: {}", self.operation, self.detail)
    }
}

impl Error for StoreError {}
