//! URLs of databases.

use crate::store::{Store, StoreError, StoreErrorKind};
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use url::Url;

pub(super) const OPEN: &str = "open the database";

const OTHER_SCHEME: &str = "the URL must begin with sqlite:, postgres: or postgresql:";
const NOT_SQLITE: &str = "the URL is not one of SQLite, such as sqlite://path/to/file.db?mode=rwc";
const NOT_POSTGRES: &str = "the URL is not one of PostgreSQL, such as postgres://user:password@host/database";
const UNKNOWN_PARAMETER: &str = "the URL has an unknown parameter behind `?`; those of sqlx are known, such as sslmode, \
    sslrootcert and application_name";
const NOT_ENCODED: &str = "the user, the password or a parameter has a character that must be percent-encoded: `/` as %2F, \
    `?` as %3F, `#` as %23, `@` as %40 and `%` as %25";
const NO_CREDENTIAL: &str = "the URL must be one of PostgreSQL, such as postgres://user@host/database, as a credential has no \
    use for SQLite";
const TWO_PASSWORDS: &str = "the URL has a password, which the credential provides; remove one of them";
const NO_USER: &str = "the URL has no user, such as postgres://user@host/database: the name of the credential's identity in \
    the database";

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
        let refused = |reason| StoreError::new(OPEN, StoreErrorKind::Configuration, reason);
        match url.split_once(':') {
            Some(("sqlite", _)) => {
                let options = url.parse().map_err(|_| refused(NOT_SQLITE))?;
                Ok(Self::Sqlite(options))
            }
            Some(("postgres" | "postgresql", rest)) => {
                // Else a piece of a password could be taken for the host, the database or a parameter.
                if has_late_at_sign(rest) {
                    return Err(refused(NOT_ENCODED));
                }
                let parsed = Url::parse(url).map_err(|_| refused(NOT_POSTGRES))?;
                if parsed.query_pairs().any(|(name, _)| !is_postgres_parameter(&name)) {
                    return Err(refused(UNKNOWN_PARAMETER));
                }
                let options = url.parse().map_err(|_| refused(NOT_POSTGRES))?;
                Ok(Self::Postgres(options))
            }
            _ => Err(refused(OTHER_SCHEME)),
        }
    }
}

/// Parses a URL of PostgreSQL whose password comes from a credential.
pub(super) fn postgres_without_password(url: &str) -> Result<PgConnectOptions, StoreError> {
    let refused = |reason| Err(StoreError::new(OPEN, StoreErrorKind::Configuration, reason));
    let DatabaseUrl::Postgres(options) = DatabaseUrl::parse(url)? else {
        return refused(NO_CREDENTIAL);
    };
    let parsed = Url::parse(url).ok();
    let has = |name: &str| {
        let mut parameters = parsed.iter().flat_map(Url::query_pairs);
        parameters.any(|(parameter, _)| parameter == name)
    };
    if parsed.as_ref().is_some_and(|url| url.password().is_some()) || has("password") {
        return refused(TWO_PASSWORDS);
    }
    if parsed.as_ref().is_some_and(|url| url.username().is_empty()) && !has("user") {
        return refused(NO_USER);
    }
    Ok(options)
}

/// Returns whether an `@` follows a `/`, `?` or `#` of what stands behind `postgres:`.
fn has_late_at_sign(rest: &str) -> bool {
    let rest = rest.trim_start_matches('/');
    rest.split_once(['/', '?', '#'])
        .is_some_and(|(_, rest)| rest.contains('@'))
}

/// Returns whether sqlx knows this parameter. It ignores others, and logs their values.
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
