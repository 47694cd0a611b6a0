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
    outcome_unknown: bool,
}

/// The kinds of [`DatabaseError`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DatabaseErrorKind {
    /// The database's URL cannot be used.
    Configuration,
    /// The database cannot be reached, did not answer in time, or is too busy. A later attempt can succeed.
    Unavailable,
    /// The connections were closed by this program.
    Closed,
    /// The user of the URL lacks a right.
    MissingRight,
    /// The file is not a database of SQLite.
    NotSqlite,
    /// The database refused the operation for another reason, or contains a value that this version cannot read.
    Refused,
}

impl DatabaseError {
    /// Creates an error. The detail says what happened, then the remedy.
    pub fn new(kind: DatabaseErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            outcome_unknown: false,
        }
    }

    /// Marks a failure after which the operation may have been executed.
    pub(crate) fn with_unknown_outcome(mut self) -> Self {
        self.outcome_unknown = true;
        self
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

    /// Returns whether the operation may have been executed although it failed.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    /// Returns the cause and the remedy. Of [`MissingRight`](DatabaseErrorKind::MissingRight) and
    /// [`NotSqlite`](DatabaseErrorKind::NotSqlite), it has no remedy, which a program can say in its own words.
    #[must_use]
    pub fn into_detail(self) -> String {
        self.detail
    }

    /// Wraps an error of sqlx. `message` returns the part of a database's message that is kept.
    fn from_sqlx(error: sqlx::Error, message: impl FnOnce(&str) -> Option<String>) -> Self {
        use DatabaseErrorKind::{Closed, Configuration, Refused, Unavailable};
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default();
                let mut detail = match message(error.message()) {
                    Some(message) => format!("{message} (code {code})"),
                    None => format!("the database answered with code {code}"),
                };
                if is_of_pooler(&code) {
                    detail += ": behind a pooler of transactions, such as PgBouncer, add ?statement-cache-capacity=0 to the URL";
                }
                if let Some(remedy) = sqlite_remedy(&code) {
                    detail += "; ";
                    detail += remedy;
                }
                Self::new(kind_of(&code), detail)
            }
            // The message is about sockets, host names and certificates.
            sqlx::Error::Io(error) => {
                Self::new(Unavailable, format!("the connection to the database failed: {error}")).with_unknown_outcome()
            }
            sqlx::Error::PoolTimedOut => {
                Self::new(Unavailable, "no database connection became available within 5 seconds")
            }
            sqlx::Error::PoolClosed => Self::new(Closed, "the database is closed"),
            sqlx::Error::WorkerCrashed => {
                Self::new(Unavailable, "the connection to the database crashed").with_unknown_outcome()
            }
            // The message is about certificates.
            sqlx::Error::Tls(error) => Self::new(Configuration, format!("TLS with the database failed: {error}")),
            sqlx::Error::Configuration(_) => Self::new(Configuration, "the database cannot be reached as its URL says"),
            sqlx::Error::ColumnDecode { index, .. } => Self::unreadable(&format!("a value (column {index})")),
            _ => Self::new(Refused, "the database did not answer as expected").with_unknown_outcome(),
        }
    }
}

/// Returns the kind of a code.
fn kind_of(code: &str) -> DatabaseErrorKind {
    match sqlite_code(code) {
        // A busy and a locked database.
        Some(5 | 6) => DatabaseErrorKind::Unavailable,
        Some(26) => DatabaseErrorKind::NotSqlite,
        None if code == "42501" => DatabaseErrorKind::MissingRight,
        None if is_transient(code) => DatabaseErrorKind::Unavailable,
        _ => DatabaseErrorKind::Refused,
    }
}

/// Returns whether an operation of PostgreSQL can succeed later. The classes are: 08 connection, 40 transaction rollback, 53
/// insufficient resources, 57 operator intervention.
fn is_transient(code: &str) -> bool {
    !is_of_pooler(code) && ["08", "40", "53", "57"].iter().any(|class| code.starts_with(class))
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
        _ => return None,
    })
}

/// Returns whether a pooler of transactions causes this code: an unknown parameter of the connection, a statement that another
/// client has prepared, or one that is on another connection.
fn is_of_pooler(code: &str) -> bool {
    matches!(code, "08P01" | "42P05" | "26000")
}

impl Display for DatabaseError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)?;
        f.write_str(match self.kind {
            DatabaseErrorKind::MissingRight => "; grant the user of the URL rights on the schema and on its tables",
            DatabaseErrorKind::NotSqlite => "; the file is not a database of SQLite: name another one in the URL",
            _ => "",
        })
    }
}

impl Error for DatabaseError {}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::error::ErrorKind;
    use std::borrow::Cow;

    /// An answer of a database, which repeats a user's value.
    #[derive(Debug)]
    struct Answer(&'static str);

    impl Display for Answer {
        fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
            f.write_str("value of a user")
        }
    }

    impl Error for Answer {}

    impl sqlx::error::DatabaseError for Answer {
        fn message(&self) -> &'static str {
            "value of a user"
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    #[test]
    fn code_has_a_kind_and_a_remedy() {
        use DatabaseErrorKind::{MissingRight, NotSqlite, Refused, Unavailable};
        const FILE: &str =
            "; create its directory, let the service write to it, or add ?mode=rwc to the URL to create the file";
        const SPACE: &str = "; free space on its disk, or raise the limit on the size of files";
        const POOLER: &str =
            ": behind a pooler of transactions, such as PgBouncer, add ?statement-cache-capacity=0 to the URL";
        // Of https://sqlite.org/rescode.html: BUSY, LOCKED, BUSY_RECOVERY, READONLY, READONLY_DBMOVED, IOERR_WRITE, FULL,
        // CORRUPT, CANTOPEN, CANTOPEN_ISDIR, NOTADB and CONSTRAINT_UNIQUE. Of PostgreSQL's appendix A:
        // insufficient_privilege, connection_failure, serialization_failure, too_many_connections, admin_shutdown,
        // protocol_violation, duplicate_prepared_statement, invalid_sql_statement_name and unique_violation.
        for (code, kind, remedy) in [
            ("5", Unavailable, ""),
            ("6", Unavailable, ""),
            ("261", Unavailable, ""),
            ("8", Refused, "; let the service write to its file and to the directory"),
            (
                "1032",
                Refused,
                "; let the service write to its file and to the directory",
            ),
            ("778", Refused, SPACE),
            ("13", Refused, SPACE),
            ("11", Refused, "; the file is damaged: restore it from a backup"),
            ("14", Refused, FILE),
            ("526", Refused, FILE),
            (
                "26",
                NotSqlite,
                "; the file is not a database of SQLite: name another one in the URL",
            ),
            ("2067", Refused, ""),
            (
                "42501",
                MissingRight,
                "; grant the user of the URL rights on the schema and on its tables",
            ),
            ("08006", Unavailable, ""),
            ("40001", Unavailable, ""),
            ("53300", Unavailable, ""),
            ("57P01", Unavailable, ""),
            ("08P01", Refused, POOLER),
            ("42P05", Refused, POOLER),
            ("26000", Refused, POOLER),
            ("23505", Refused, ""),
        ] {
            let answer = || sqlx::Error::Database(Box::new(Answer(code)));
            let error = DatabaseError::from_operation(answer());
            assert_eq!(error.kind(), kind, "{code}");
            assert_eq!(
                error.to_string(),
                format!("the database answered with code {code}{remedy}")
            );
            let error = DatabaseError::from_connection(answer());
            assert_eq!(error.kind(), kind, "{code}");
            assert_eq!(error.to_string(), format!("value of a user (code {code}){remedy}"));
        }
    }
}
