//! URLs of databases.

use crate::error::{DatabaseError, DatabaseErrorKind};
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use std::{
    fmt::{self, Debug, Formatter},
    path::Path,
};
use url::{Url, form_urlencoded};

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

/// The URL of a database, parsed.
#[derive(Clone, Debug)]
pub enum DatabaseUrl {
    /// A file of SQLite, or a database in memory.
    Sqlite(SqliteUrl),
    /// A PostgreSQL server.
    Postgres(PostgresUrl),
}

/// The URL of an SQLite database.
#[derive(Clone)]
pub struct SqliteUrl {
    pub(crate) options: SqliteConnectOptions,
    /// `:memory:` is another name of `memory`.
    mode: Option<String>,
    /// Set if a missing file is created.
    pub(crate) created: bool,
    /// False if the file must not change.
    pub(crate) changed: bool,
}

/// The URL of a PostgreSQL database.
#[derive(Clone)]
pub struct PostgresUrl {
    pub(crate) options: PgConnectOptions,
    /// Set for a pooler that pools transactions.
    pub(crate) behind_pooler: bool,
}

impl DatabaseUrl {
    /// Parses a URL.
    ///
    /// # Errors
    ///
    /// If the URL has another scheme, unknown parameters, or characters that must be percent-encoded. No error shows a piece
    /// of it.
    pub fn parse(url: &str) -> Result<Self, DatabaseError> {
        match url.split_once(':') {
            Some(("sqlite", _)) => {
                let options = url.parse().map_err(|_| refused(NOT_SQLITE))?;
                let mode = sqlite_mode(url);
                Ok(Self::Sqlite(SqliteUrl {
                    options,
                    created: mode.as_deref() == Some("rwc"),
                    mode,
                    changed: true,
                }))
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
                let mut parameters = parsed.query_pairs();
                Ok(Self::Postgres(PostgresUrl {
                    options,
                    behind_pooler: parameters.any(|(name, value)| name == "statement-cache-capacity" && value == "0"),
                }))
            }
            _ => Err(refused(OTHER_SCHEME)),
        }
    }
}

impl PostgresUrl {
    /// Parses a URL whose password comes from a credential.
    ///
    /// # Errors
    ///
    /// Those of [`DatabaseUrl::parse`]. If the URL is one of SQLite, has a password or has no user.
    pub fn parse_without_password(url: &str) -> Result<Self, DatabaseError> {
        let DatabaseUrl::Postgres(postgres) = DatabaseUrl::parse(url)? else {
            return Err(refused(NO_CREDENTIAL));
        };
        let parsed = Url::parse(url).ok();
        let has = |name: &str| {
            let mut parameters = parsed.iter().flat_map(Url::query_pairs);
            parameters.any(|(parameter, _)| parameter == name)
        };
        if parsed.as_ref().is_some_and(|url| url.password().is_some()) || has("password") {
            return Err(refused(TWO_PASSWORDS));
        }
        if parsed.as_ref().is_some_and(|url| url.username().is_empty()) && !has("user") {
            return Err(refused(NO_USER));
        }
        Ok(postgres)
    }

    /// Sets the password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.options = self.options.password(password);
        self
    }

    /// Returns whether the URL is for a pooler that pools transactions.
    #[must_use]
    pub fn is_behind_pooler(&self) -> bool {
        self.behind_pooler
    }

    /// Returns the options of a connection.
    #[must_use]
    pub fn into_options(self) -> PgConnectOptions {
        self.options
    }
}

impl SqliteUrl {
    /// Creates a missing file, unless the URL has a mode.
    #[must_use]
    pub fn created_without_mode(mut self) -> Self {
        if self.mode.is_none() {
            self.options = self.options.create_if_missing(true);
            self.created = true;
        }
        self
    }

    /// Creates no file, and does not switch the file to a write-ahead log.
    #[must_use]
    pub fn without_changes(mut self) -> Self {
        self.options = self.options.create_if_missing(false);
        self.created = false;
        self.changed = false;
        self
    }

    /// Returns whether the database is in memory, where it belongs to one connection and ends with it.
    #[must_use]
    pub fn is_in_memory(&self) -> bool {
        self.mode.as_deref() == Some("memory")
    }

    /// Returns the options of a connection.
    #[must_use]
    pub fn into_options(self) -> SqliteConnectOptions {
        self.options
    }

    /// Returns the file.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.options.get_filename()
    }
}

impl Debug for SqliteUrl {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("SqliteUrl")
    }
}

/// Hides the password.
impl Debug for PostgresUrl {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("PostgresUrl")
    }
}

fn refused(reason: &str) -> DatabaseError {
    DatabaseError::new(DatabaseErrorKind::Configuration, reason)
}

/// Returns the `mode` of a URL of SQLite.
fn sqlite_mode(url: &str) -> Option<String> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    if path.ends_with(":memory:") {
        return Some("memory".to_owned());
    }
    form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "mode")
        .map(|(_, mode)| mode.into_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_url_is_not_shown() {
        for (url, message) in [
            ("mysql://app:secret@db/users", "sqlite:, postgres: or postgresql:"),
            ("secret", "sqlite:, postgres: or postgresql:"),
            ("", "sqlite:, postgres: or postgresql:"),
            ("sqlite://users.db?secret=secret", "not one of SQLite"),
            ("postgres://app:secret@db:port/users", "not one of PostgreSQL"),
            ("postgresql://app@db/users?sslmode=secret", "not one of PostgreSQL"),
            ("postgres://app@db/users?passphrase=secret", "unknown parameter"),
            ("postgres://app:pw/secret@db/users", "percent-encoded"),
            ("postgres://app:12?secret@db/users", "percent-encoded"),
            ("postgres://db/users?user=app&password=s@secret", "percent-encoded"),
        ] {
            let error = DatabaseUrl::parse(url).unwrap_err();
            assert_eq!(error.kind(), DatabaseErrorKind::Configuration, "{url}");
            let text = format!("{error} {error:?}");
            assert!(text.contains(message), "{url}: {text}");
            assert!(!text.contains("secret"), "{url}: {text}");
        }
    }

    #[test]
    fn parsed_url_is_not_shown() {
        for url in [
            "postgres://secret:secret@secret/secret?application_name=secret",
            "sqlite://secret.db",
        ] {
            let parsed = DatabaseUrl::parse(url).unwrap();
            assert!(!format!("{parsed:?}").contains("secret"), "{parsed:?}");
        }
    }

    #[test]
    fn pooler_is_known_by_its_parameter() {
        for (query, expected) in [
            ("", false),
            ("?statement-cache-capacity=0", true),
            ("?sslmode=require&statement-cache-capacity=0", true),
            ("?statement-cache-capacity=10", false),
        ] {
            let url = format!("postgres://app@db/users{query}");
            let DatabaseUrl::Postgres(url) = DatabaseUrl::parse(&url).unwrap() else {
                panic!("{url} is not of PostgreSQL");
            };
            assert_eq!(url.is_behind_pooler(), expected, "{query}");
        }
    }

    #[test]
    fn database_in_memory_is_known() {
        for (url, expected) in [
            ("sqlite::memory:", true),
            ("sqlite://:memory:", true),
            ("sqlite://users.db?mode=memory", true),
            ("sqlite://memory.db?mode=rwc", false),
        ] {
            let DatabaseUrl::Sqlite(parsed) = DatabaseUrl::parse(url).unwrap() else {
                panic!("{url} is not of SQLite");
            };
            assert_eq!(parsed.is_in_memory(), expected, "{url}");
        }
    }
}
