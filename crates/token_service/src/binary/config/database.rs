//! `[database]`: the database of users' identities.

use super::given::Given;
use azure_core::credentials::Secret;
use sqlx::{postgres::PgConnectOptions, sqlite::SqliteConnectOptions};
use std::time::Duration;
use token_service::{Store, StoreError, StoreErrorKind};
use tokio::time::{Instant, sleep};
use tracing::warn;

/// The time for which the start waits for the database, which often starts at the same moment.
const CONNECT_PERIOD: Duration = Duration::from_mins(1);
/// The first and the longest pause between two attempts.
const MIN_PAUSE: Duration = Duration::from_millis(250);
const MAX_PAUSE: Duration = Duration::from_secs(5);

/// The database and its limit of connections.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: Secret,
    pub(crate) max_connections: u32,
    /// Set if the start creates and changes the tables.
    pub(crate) migrate: bool,
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
            migrate: !given.has("database.migrate") || given.flag("database.migrate"),
        })
    }

    /// Connects to the database. While it is unavailable, this goes on for [`CONNECT_PERIOD`].
    pub(crate) async fn connect(&self) -> Result<Store, StoreError> {
        let url = self.url.secret();
        retry(CONNECT_PERIOD, async || {
            if self.migrate {
                Store::connect(url, self.max_connections).await
            } else {
                Store::connect_without_migration(url, self.max_connections).await
            }
        })
        .await
    }

    /// Returns whether replicas can share the database.
    pub(super) fn is_shared(&self) -> bool {
        !self.url.secret().starts_with("sqlite:")
    }
}

/// Repeats an attempt that finds the database unavailable, with a log line for each.
async fn retry<T>(period: Duration, attempt: impl AsyncFn() -> Result<T, StoreError>) -> Result<T, StoreError> {
    let started = Instant::now();
    let mut pause = MIN_PAUSE;
    loop {
        match attempt().await {
            Err(error) if error.kind() == StoreErrorKind::Unavailable && started.elapsed() + pause < period => {
                warn!(%error, pause_ms = pause.as_millis(), "the database is not there yet, and is tried again");
            }
            outcome => return outcome,
        }
        sleep(pause).await;
        pause = MAX_PAUSE.min(pause * 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use tokio::net::TcpListener;

    #[tokio::test(start_paused = true)]
    async fn unavailable_database_is_retried_for_a_minute() {
        let free = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
        let (started, attempts) = (Instant::now(), Cell::new(0));
        let refused = retry(CONNECT_PERIOD, async || {
            attempts.set(attempts.get() + 1);
            Store::connect(&format!("postgres://app@{free}/users"), 1).await
        });
        assert_eq!(refused.await.unwrap_err().kind(), StoreErrorKind::Unavailable);
        assert!(started.elapsed() + 2 * MAX_PAUSE > CONNECT_PERIOD && started.elapsed() < CONNECT_PERIOD * 2);
        assert!((10..=20).contains(&attempts.get()), "{attempts:?}");
    }

    #[tokio::test]
    async fn unusable_url_is_not_retried() {
        let attempts = Cell::new(0);
        let refused = retry(CONNECT_PERIOD, async || {
            attempts.set(attempts.get() + 1);
            Store::connect("mysql://db/users", 1).await
        });
        assert_eq!(refused.await.unwrap_err().kind(), StoreErrorKind::Configuration);
        assert_eq!(attempts.get(), 1);
    }
}
