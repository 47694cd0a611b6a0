//! The operations in SQL, which is the same for SQLite and PostgreSQL.

use crate::{
    code::{CallerHash, CodeHash},
    table::{Attempt, Claim, CodeTable, Quota},
};
use async_trait::async_trait;
use database::{Connections, DatabaseError};
use sqlx::{ColumnIndex, Decode, Encode, Executor, IntoArguments, Type, database::HasStatementCache, query, query_as};
use std::time::Duration as StdDuration;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// The default time that a queue keeps a message.
const MESSAGE_TTL: Duration = Duration::days(7);

const MINUTE_MICROS: i64 = 60_000_000;

/// The clock of a table.
#[derive(Clone, Debug)]
pub(super) enum TableClock {
    /// That of this machine.
    System,
    /// That of the PostgreSQL server.
    Database,
    #[cfg(test)]
    Fixed(std::sync::Arc<std::sync::Mutex<OffsetDateTime>>),
}

/// A table behind a pool of connections.
pub(super) struct SqlTable<DB: sqlx::Database> {
    connections: Connections<DB>,
    clock: TableClock,
}

impl<DB: sqlx::Database> SqlTable<DB> {
    pub(super) fn new(connections: Connections<DB>, clock: TableClock) -> Self {
        Self { connections, clock }
    }
}

#[async_trait]
impl<DB> CodeTable for SqlTable<DB>
where
    DB: sqlx::Database + HasStatementCache,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'v> &'v str: Encode<'v, DB> + Type<DB>,
    for<'v> String: Encode<'v, DB> + Decode<'v, DB> + Type<DB>,
    for<'v> i64: Encode<'v, DB> + Decode<'v, DB> + Type<DB>,
    for<'v> Option<i64>: Decode<'v, DB>,
    usize: ColumnIndex<DB::Row>,
{
    async fn now(&self) -> Result<OffsetDateTime, DatabaseError> {
        const NOW: &str = "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)";
        match &self.clock {
            TableClock::System => Ok(OffsetDateTime::now_utc()),
            TableClock::Database => {
                let now = self.connections.fetch_optional(query_as::<_, (i64,)>(NOW)).await?;
                parse_time(now.map_or(0, |(now,)| now))
            }
            #[cfg(test)]
            TableClock::Fixed(now) => Ok(*now.lock().unwrap()),
        }
    }

    async fn claim(
        &self,
        code: &CodeHash,
        expires_at: OffsetDateTime,
        holder: Uuid,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Claim, DatabaseError> {
        // A claim that was completed has no end, and is not taken over.
        const CLAIM: &str = "INSERT INTO verification_codes \
            (code_hash, expires_at, state, claimed_by, claimed_until, unfinished_claims) VALUES ($1, $2, 'valid', $3, $4, 1) \
            ON CONFLICT (code_hash) DO UPDATE SET claimed_by = excluded.claimed_by, \
            claimed_until = excluded.claimed_until, unfinished_claims = verification_codes.unfinished_claims + 1 \
            WHERE verification_codes.claimed_until <= $5 RETURNING unfinished_claims";
        const STATE: &str = "SELECT claimed_until FROM verification_codes WHERE code_hash = $1";
        let claim = query_as::<_, (i64,)>(CLAIM)
            .bind(code.as_str())
            .bind(to_micros(expires_at))
            .bind(holder.to_string())
            .bind(to_micros(until))
            .bind(to_micros(now));
        if let Some((unfinished,)) = self.connections.fetch_optional(claim).await? {
            return Ok(Claim::Granted { unfinished });
        }
        let state = query_as::<_, (Option<i64>,)>(STATE).bind(code.as_str());
        match self.connections.fetch_optional(state).await? {
            Some((None,)) => Ok(Claim::Completed),
            Some((Some(until),)) => Ok(Claim::Held {
                until: parse_time(until)?,
            }),
            // It was deleted since.
            None => Ok(Claim::Held { until: now }),
        }
    }

    async fn complete(&self, code: &CodeHash, holder: Uuid) -> Result<(), DatabaseError> {
        const COMPLETE: &str = "UPDATE verification_codes SET claimed_by = NULL, claimed_until = NULL \
            WHERE code_hash = $1 AND claimed_by = $2";
        let complete = query(COMPLETE).bind(code.as_str()).bind(holder.to_string());
        self.connections.execute(complete).await
    }

    async fn release(&self, code: &CodeHash, holder: Uuid, now: OffsetDateTime) -> Result<(), DatabaseError> {
        const RELEASE: &str = "UPDATE verification_codes SET claimed_until = $3, unfinished_claims = unfinished_claims - 1 \
            WHERE code_hash = $1 AND claimed_by = $2";
        let release = query(RELEASE).bind(code.as_str()).bind(holder.to_string());
        self.connections.execute(release.bind(to_micros(now))).await
    }

    async fn expire(&self, code: &CodeHash, now: OffsetDateTime) -> Result<(), DatabaseError> {
        const EXPIRE: &str = "UPDATE verification_codes SET state = 'expired' \
            WHERE code_hash = $1 AND state = 'valid' AND expires_at <= $2";
        let expire = query(EXPIRE).bind(code.as_str()).bind(to_micros(now));
        self.connections.execute(expire).await
    }

    async fn verify(&self, code: &CodeHash, now: OffsetDateTime) -> Result<bool, DatabaseError> {
        const USE: &str = "UPDATE verification_codes SET state = 'used' \
            WHERE code_hash = $1 AND state = 'valid' AND expires_at > $2 RETURNING unfinished_claims";
        let used = query_as::<_, (i64,)>(USE).bind(code.as_str()).bind(to_micros(now));
        Ok(self.connections.fetch_optional(used).await?.is_some())
    }

    async fn attempt(&self, caller: &CallerHash, quota: Quota, now: OffsetDateTime) -> Result<Attempt, DatabaseError> {
        // Each attempt delays the time of the full quota by its share of a minute (GCRA). A time that no attempts explain is of
        // a clock that was set back, and counts as past.
        const COUNT: &str = "INSERT INTO verification_attempts (caller_hash, restored_at) VALUES ($1, $2) \
            ON CONFLICT (caller_hash) DO UPDATE SET restored_at = CASE \
            WHEN verification_attempts.restored_at BETWEEN $3 AND $4 THEN verification_attempts.restored_at + $5 \
            ELSE excluded.restored_at END \
            WHERE verification_attempts.restored_at NOT BETWEEN $6 AND $4 RETURNING restored_at";
        const STATE: &str = "SELECT restored_at FROM verification_attempts WHERE caller_hash = $1";
        let now = to_micros(now);
        let share = (MINUTE_MICROS / i64::from(quota.per_minute.get())).max(1);
        let full = share.saturating_mul(quota.per_minute.get().into());
        // From here on, one attempt more would exceed the quota.
        let refused_from = now + full - share + 1;
        let implausible_after = now + full + MINUTE_MICROS;
        let count = query_as::<_, (i64,)>(COUNT)
            .bind(caller.as_str())
            .bind(now + share)
            .bind(now)
            .bind(implausible_after)
            .bind(share)
            .bind(refused_from);
        if self.connections.fetch_optional(count).await?.is_some() {
            return Ok(Attempt::Granted);
        }
        let state = query_as::<_, (i64,)>(STATE).bind(caller.as_str());
        let restored_at = self.connections.fetch_optional(state).await?;
        let wait = restored_at.map_or(0, |(restored_at,)| restored_at - refused_from + 1);
        Ok(Attempt::Refused {
            wait: StdDuration::from_micros(wait.try_into().unwrap_or_default()),
        })
    }

    async fn delete_idle_callers(&self, now: OffsetDateTime) -> Result<(), DatabaseError> {
        let delete = query("DELETE FROM verification_attempts WHERE restored_at <= $1");
        self.connections.execute(delete.bind(to_micros(now))).await
    }

    async fn delete_old(&self, now: OffsetDateTime) -> Result<(), DatabaseError> {
        let delete = query("DELETE FROM verification_codes WHERE expires_at < $1");
        self.connections
            .execute(delete.bind(to_micros(now - MESSAGE_TTL)))
            .await
    }

    async fn close(&self) {
        self.connections.close().await;
    }
}

/// Converts a time to its column: microseconds since 1970, rounded down.
fn to_micros(time: OffsetDateTime) -> i64 {
    let micros = time.unix_timestamp_nanos().div_euclid(1000);
    i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
}

fn parse_time(micros: i64) -> Result<OffsetDateTime, DatabaseError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
        .map_err(|_| DatabaseError::unreadable("a time"))
}
