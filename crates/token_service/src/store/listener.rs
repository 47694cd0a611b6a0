//! The announcements of changes by PostgreSQL's NOTIFY.

use crate::store::{Change, StoreError, StoreErrorKind};
use database::DatabaseError;
use sqlx::{
    Executor, PgPool,
    postgres::{PgListener, PgPoolOptions},
};
use std::{
    fmt::{self, Debug, Formatter},
    time::Duration,
};
use tokio::time::timeout;

/// The channel on which stores announce changes.
pub(super) const CHANGES: &str = "token_service_changes";

const LISTEN: &str = "listen for changes";

/// The limit for the connection, and for each of its checks.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The silence after which the connection is checked. It is below the time after which networks forget a connection.
const CHECK_INTERVAL: Duration = Duration::from_secs(30);

/// The connection that receives the announcements, beside the pool, whose password it shares.
pub(super) struct Listener {
    connections: PgPool,
}

impl Listener {
    pub(super) fn new(connections: PgPool) -> Self {
        Self { connections }
    }

    /// Calls `on_change` for each announcement, until the connection breaks.
    pub(super) async fn run(&self, on_change: &(dyn for<'c> Fn(Change<'c>) + Send + Sync)) -> Result<(), StoreError> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ANSWER_TIMEOUT)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(self.connections.connect_options().as_ref().clone());
        let mut listener = answered(PgListener::connect_with(&pool)).await?;
        listener.eager_reconnect(false);
        answered(listener.listen(CHANGES)).await?;
        // Earlier changes have not been received.
        on_change(Change::Any);
        loop {
            match timeout(CHECK_INTERVAL, listener.try_recv()).await {
                Ok(Ok(Some(change))) => on_change(match change.payload() {
                    "" => Change::Any,
                    user => Change::User(user),
                }),
                Ok(Ok(None)) => {
                    return Err(StoreError::new(
                        LISTEN,
                        StoreErrorKind::Unavailable,
                        "the connection was closed",
                    ));
                }
                Ok(Err(error)) => return Err(failed(error)),
                Err(_) => {
                    answered(listener.execute("SELECT 1")).await?;
                }
            }
        }
    }
}

async fn answered<T>(answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, StoreError> {
    match timeout(ANSWER_TIMEOUT, answer).await {
        Ok(answer) => answer.map_err(failed),
        Err(_) => Err(StoreError::new(
            LISTEN,
            StoreErrorKind::Unavailable,
            "the database did not answer",
        )),
    }
}

fn failed(error: sqlx::Error) -> StoreError {
    StoreError::from_database(LISTEN, DatabaseError::from_operation(error))
}

/// Hides the password.
impl Debug for Listener {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}
