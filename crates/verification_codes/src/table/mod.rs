//! The table of codes, which decides whether a code is valid, and counts the attempts of callers. APIs and watchers share it.
//!
//! A used or expired code stays in the table for as long as a queue can deliver a message about it, so that a repeated
//! message cannot make it valid again.

mod sql;
#[cfg(test)]
mod tests;

use crate::code::{CallerHash, CodeHash};
use async_trait::async_trait;
use database::{Connections, DatabaseError, DatabaseUrl, Migrations};
use sql::{SqlTable, TableClock};
use std::{num::NonZeroU32, sync::Arc, time::Duration as StdDuration};
use time::OffsetDateTime;
use uuid::Uuid;

/// The versions of the table: the files of `migrations/`.
const MIGRATIONS: Migrations = Migrations {
    table: "verification_codes_migrations",
    files: &[(1, "codes", include_str!("../../migrations/0001_codes.sql"))],
};

/// The connections of each process to PostgreSQL.
const POSTGRES_CONNECTIONS: u32 = 10;
/// That to SQLite. Nearly each operation writes, and writers of several connections would poll for their turn.
const SQLITE_CONNECTIONS: u32 = 1;

/// The outcome of a claim to handle the message that makes a code valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Claim {
    /// The code is valid, unless it was used or has expired. The holder handles the message.
    Granted {
        /// The claims so far whose holder neither completed nor released them, this one included.
        unfinished: i64,
    },
    /// Another holder handles the message, or has ended half-way.
    Held {
        /// The time at which the claim ends.
        until: OffsetDateTime,
    },
    /// The message was handled before.
    Completed,
}

/// The limit on the attempts of one caller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Quota {
    /// All of these can come at once.
    pub(crate) per_minute: NonZeroU32,
}

/// The outcome of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attempt {
    Granted,
    /// The limit is reached.
    Refused {
        wait: StdDuration,
    },
}

/// The operations of the table. Each is atomic, also across processes. Times are by the [table's clock](Self::now).
#[async_trait]
pub(crate) trait CodeTable: Send + Sync {
    /// Returns the time by the clock that all processes of the table share, also on several machines.
    async fn now(&self) -> Result<OffsetDateTime, DatabaseError>;

    /// Makes a code valid until `expires_at`, unless the table has it in any state, and claims its message for `holder`, from
    /// `now` to `until`. A claim that ended by `now` is taken over.
    async fn claim(
        &self,
        code: &CodeHash,
        expires_at: OffsetDateTime,
        holder: Uuid,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Claim, DatabaseError>;

    /// Records that `holder` has handled the message.
    async fn complete(&self, code: &CodeHash, holder: Uuid) -> Result<(), DatabaseError>;

    /// Gives up the claim of `holder`, who returned from its work without the result. The claim is not counted.
    async fn release(&self, code: &CodeHash, holder: Uuid, now: OffsetDateTime) -> Result<(), DatabaseError>;

    /// Marks a valid code as expired, if it is.
    async fn expire(&self, code: &CodeHash, now: OffsetDateTime) -> Result<(), DatabaseError>;

    /// Uses a code, and returns whether it was valid `now`. Of concurrent uses, one returns `true`.
    async fn verify(&self, code: &CodeHash, now: OffsetDateTime) -> Result<bool, DatabaseError>;

    /// Counts an attempt of a caller, if it is within the quota.
    async fn attempt(&self, caller: &CallerHash, quota: Quota, now: OffsetDateTime) -> Result<Attempt, DatabaseError>;

    /// Forgets callers who have their full quota again.
    async fn delete_idle_callers(&self, now: OffsetDateTime) -> Result<(), DatabaseError>;

    /// Deletes the codes about which no message can be delivered any more.
    async fn delete_old(&self, now: OffsetDateTime) -> Result<(), DatabaseError>;

    /// Closes the connections when running operations have finished.
    async fn close(&self);
}

/// Opens the table of a database, and creates it if it is missing.
pub(crate) async fn open(url: DatabaseUrl) -> Result<Arc<dyn CodeTable>, DatabaseError> {
    Ok(match url {
        DatabaseUrl::Sqlite(url) => {
            let connections = Connections::open_sqlite(url, SQLITE_CONNECTIONS).await?;
            connections.migrate(&MIGRATIONS).await?;
            // All processes of a file are on one machine.
            Arc::new(SqlTable::new(connections, TableClock::System))
        }
        DatabaseUrl::Postgres(url) => {
            let connections = Connections::open_postgres(url, POSTGRES_CONNECTIONS).await?;
            connections.migrate(&MIGRATIONS).await?;
            Arc::new(SqlTable::new(connections, TableClock::Database))
        }
    })
}

#[cfg(test)]
pub(crate) use tests::TestTable;
