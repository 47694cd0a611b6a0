//! Failures of a database.

use sqlx::migrate::MigrateError;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

/// A failure of a database.
///
/// It shows no user's value, and of the database's URL at most the names of host, database and user.
#[derive(Debug)]
pub struct DatabaseError {
    kind: DatabaseErrorKind,
    detail: String,
}

/// The kinds of [`DatabaseError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DatabaseErrorKind {
    /// The database's URL cannot be used.
    Configuration,
    /// The database cannot be reached, did not answer in time, or is too busy. A later attempt can succeed.
    Unavailable,
    /// The database refused the operation, or contains a value that this version cannot read.
    Refused,
}

impl DatabaseError {
    /// Creates an error. The detail says what happened, then the remedy.
    pub fn new(kind: DatabaseErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    /// Creates the error of a stored value that cannot be read.
    #[must_use]
    pub fn unreadable(value: &str) -> Self {
        Self::new(
            DatabaseErrorKind::Refused,
            format!("the database holds {value} that cannot be read"),
        )
    }

    /// Wraps the failure of an operation with users' values. Only its code is kept, as a database's messages can repeat the
    /// values.
    #[must_use]
    pub fn from_operation(error: sqlx::Error) -> Self {
        Self::from_sqlx(error, |_| None)
    }

    /// Wraps a failure to connect. Its message is kept, as no user's value has been sent.
    #[must_use]
    pub fn from_connection(error: sqlx::Error) -> Self {
        Self::from_sqlx(error, |message| Some(message.to_owned()))
    }

    /// Wraps a failure to migrate the tables.
    #[must_use]
    pub fn from_migration(error: MigrateError) -> Self {
        match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => Self::from_operation(error),
            // The other errors name versions of migrations.
            other => Self::new(DatabaseErrorKind::Refused, other.to_string()),
        }
    }

    /// Returns the kind of the failure.
    #[must_use]
    pub fn kind(&self) -> DatabaseErrorKind {
        self.kind
    }

    /// Returns the cause, and the remedy that is known.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Wraps an error of sqlx. `message` returns the part of a database's message that is kept.
    fn from_sqlx(error: sqlx::Error, message: impl FnOnce(&str) -> Option<String>) -> Self {
        use DatabaseErrorKind::{Configuration, Refused, Unavailable};
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                let kind = if is_transient(&code) { Unavailable } else { Refused };
                let mut detail = match message(error.message()) {
                    Some(message) => format!("{message} (code {code})"),
                    None => format!("the database answered with code {code}"),
                };
                if is_of_pooler(&code) {
                    detail += ": behind a pooler of transactions, such as PgBouncer, add ?statement-cache-capacity=0 to the URL";
                }
                Self::new(kind, detail)
            }
            // The message is about sockets, host names and certificates.
            sqlx::Error::Io(error) => Self::new(Unavailable, format!("the connection to the database failed: {error}")),
            sqlx::Error::PoolTimedOut => {
                Self::new(Unavailable, "no database connection became available within 5 seconds")
            }
            sqlx::Error::PoolClosed => Self::new(Unavailable, "the database is closed"),
            sqlx::Error::WorkerCrashed => Self::new(Unavailable, "the connection to the database crashed"),
            // The message is about certificates.
            sqlx::Error::Tls(error) => Self::new(Configuration, format!("TLS with the database failed: {error}")),
            sqlx::Error::Configuration(_) => Self::new(Configuration, "the database cannot be reached as its URL says"),
            sqlx::Error::ColumnDecode { index, .. } => Self::unreadable(&format!("a value (column {index})")),
            _ => Self::new(Refused, "the database did not answer as expected"),
        }
    }
}

/// Returns whether an operation can succeed later. SQLite's codes 5 and 6 are a busy and a locked database; extended codes
/// have them in their lowest byte. PostgreSQL has classes: 08 connection, 40 transaction rollback, 53 insufficient
/// resources, 57 operator intervention.
fn is_transient(code: &str) -> bool {
    match code.parse::<u32>() {
        Ok(extended) if code.len() < 5 => matches!(extended & 0xff, 5 | 6),
        _ => !is_of_pooler(code) && ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class)),
    }
}

/// Returns whether a pooler of transactions causes this code: an unknown parameter of the connection, a statement that another
/// client has prepared, or one that is on another connection.
fn is_of_pooler(code: &str) -> bool {
    matches!(code, "08P01" | "42P05" | "26000")
}

impl Display for DatabaseError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl Error for DatabaseError {}
