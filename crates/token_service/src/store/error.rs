//! Errors of the store.

use database::{DatabaseError, DatabaseErrorKind};
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

/// The operation that opens a database.
pub(super) const OPEN: &str = "open the database";

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

    /// Wraps a failure of the database.
    pub(super) fn from_database(operation: &'static str, error: DatabaseError) -> Self {
        let (cause, outcome_unknown) = (error.kind(), error.is_outcome_unknown());
        let detail = error.into_detail();
        let (kind, detail) = match cause {
            DatabaseErrorKind::Configuration => (StoreErrorKind::Configuration, detail),
            DatabaseErrorKind::Unavailable => (StoreErrorKind::Unavailable, detail),
            DatabaseErrorKind::Closed => (StoreErrorKind::Unavailable, "the store is closed".to_owned()),
            DatabaseErrorKind::MissingRight => (
                StoreErrorKind::Database,
                format!("{detail}; grant the user of the URL what docs/deployment.md lists"),
            ),
            DatabaseErrorKind::NotSqlite => (
                StoreErrorKind::Database,
                format!("{detail}; the file is not a database of SQLite: name another one in database.url"),
            ),
            DatabaseErrorKind::Refused => (StoreErrorKind::Database, detail),
        };
        Self {
            outcome_unknown,
            ..Self::new(operation, kind, detail)
        }
    }

    /// Returns whether the operation may have been executed although it failed.
    pub(crate) fn is_outcome_unknown(&self) -> bool {
        self.outcome_unknown
    }

    pub(super) fn unreadable(operation: &'static str, value: &str) -> Self {
        Self::from_database(operation, DatabaseError::unreadable(value))
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
}

impl Display for StoreError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the store could not {}: {}", self.operation, self.detail)
    }
}

impl Error for StoreError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_of_the_database_have_words_of_the_service() {
        for (cause, kind, says) in [
            (
                DatabaseErrorKind::Configuration,
                StoreErrorKind::Configuration,
                "detail",
            ),
            (DatabaseErrorKind::Unavailable, StoreErrorKind::Unavailable, "detail"),
            (
                DatabaseErrorKind::Closed,
                StoreErrorKind::Unavailable,
                "the store is closed",
            ),
            (
                DatabaseErrorKind::MissingRight,
                StoreErrorKind::Database,
                "detail; grant the user of the URL what docs/deployment.md lists",
            ),
            (
                DatabaseErrorKind::NotSqlite,
                StoreErrorKind::Database,
                "detail; the file is not a database of SQLite: name another one in database.url",
            ),
            (DatabaseErrorKind::Refused, StoreErrorKind::Database, "detail"),
        ] {
            let error = StoreError::from_database(OPEN, DatabaseError::new(cause, "detail"));
            assert_eq!(error.kind(), kind);
            assert_eq!(error.detail(), says);
            assert_eq!(
                error.to_string(),
                format!("the store could not open the database: {says}")
            );
        }
    }
}
