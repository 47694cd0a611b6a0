//! URLs of databases.

use crate::store::{Store, StoreError, StoreErrorKind};
use database::{DatabaseError, PostgresUrl};
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

pub(super) const OPEN: &str = "open the database";

impl Store {
    /// Checks the URL of a database as [`connect`](Self::connect) does, without connecting.
    ///
    /// # Errors
    ///
    /// If the URL has another scheme, unknown parameters, or characters that must be percent-encoded.
    pub fn check_url(url: &str) -> Result<(), StoreError> {
        DatabaseUrl::parse(url).map(|_| ())
    }

    /// Checks the URL of a database as [`connect_with_credential`](Self::connect_with_credential) does, without connecting.
    ///
    /// # Errors
    ///
    /// Those of [`check_url`](Self::check_url). If the URL is one of SQLite, has a password or has no user.
    pub fn check_url_without_password(url: &str) -> Result<(), StoreError> {
        postgres_without_password(url).map(|_| ())
    }
}

/// The URL of a database, parsed.
pub(super) enum DatabaseUrl {
    Sqlite(SqliteConnectOptions),
    Postgres(PgConnectOptions),
}

impl DatabaseUrl {
    /// Parses a URL. No error shows a piece of it.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        Ok(
            match database::DatabaseUrl::parse(url).map_err(|error| refused(&error))? {
                database::DatabaseUrl::Sqlite(url) => Self::Sqlite(url.into_options()),
                database::DatabaseUrl::Postgres(url) => Self::Postgres(url.into_options()),
            },
        )
    }
}

/// Parses a URL of PostgreSQL whose password comes from a credential.
pub(super) fn postgres_without_password(url: &str) -> Result<PgConnectOptions, StoreError> {
    let url = PostgresUrl::parse_without_password(url).map_err(|error| refused(&error))?;
    Ok(url.into_options())
}

fn refused(error: &DatabaseError) -> StoreError {
    StoreError::new(OPEN, StoreErrorKind::Configuration, error.to_string())
}
