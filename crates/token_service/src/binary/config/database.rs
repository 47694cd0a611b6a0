//! `[database]`: the database of users' identities.

use super::given::Given;
use azure_core::credentials::Secret;
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};

/// The database and its limit of connections.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: Secret,
    pub(crate) max_connections: u32,
}

impl Database {
    pub(super) fn of(given: &mut Given<'_>) -> Option<Self> {
        const URL: &str = "database.url";
        const FILE: &str = "database.url_file";
        let key = if given.has(FILE) { FILE } else { URL };
        let url = if given.has(URL) || given.has(FILE) {
            given.secret(URL, FILE)
        } else {
            Some("sqlite://token_service.db?mode=rwc".to_owned())
        };
        let max_connections = given.number("database.max_connections", 1..=1000, 8);
        let url = url?;
        let is_good = match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => url.parse::<SqliteConnectOptions>().is_ok(),
            Some("postgres" | "postgresql") => url.parse::<PgConnectOptions>().is_ok(),
            _ => false,
        };
        if !is_good {
            given.fault(
                key,
                "has to look like sqlite://path/to/file.db?mode=rwc or postgres://user:password@host/database",
            );
            return None;
        }
        Some(Self {
            url: Secret::new(url),
            max_connections: u32::try_from(max_connections).ok()?,
        })
    }

    /// Returns whether replicas can share the database.
    pub(super) fn is_shared(&self) -> bool {
        !self.url.secret().starts_with("sqlite:")
    }
}
