//! The table of codes, which decides whether a code is valid.
//!
//! A code that was used or has expired stays in it, so that a message about it that comes again cannot make it valid once
//! more, until no such message can be left in the queue.

use crate::hash::CodeHash;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use time::{Duration, OffsetDateTime};

/// How long a queue keeps a message unless told otherwise.
const LONGEST_IN_A_QUEUE: Duration = Duration::days(7);

/// Of state, `valid` means: unless `expires_at`, which is in seconds since 1970, has come.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS codes (
        code_hash TEXT NOT NULL PRIMARY KEY,
        expires_at INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('valid', 'used', 'expired'))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS codes_by_expiry ON codes (expires_at);";

/// A table in a database. Each operation is atomic, over processes too.
#[derive(Clone)]
pub(crate) struct CodeTable(SqlitePool);

impl CodeTable {
    /// Opens the table in a database, which is a file.
    pub(crate) async fn open(database: SqliteConnectOptions) -> sqlx::Result<Self> {
        let database = database
            .busy_timeout(Duration::seconds(5).unsigned_abs())
            .journal_mode(SqliteJournalMode::Wal);
        Self::of(SqlitePoolOptions::new().connect_with(database).await?).await
    }

    async fn of(pool: SqlitePool) -> sqlx::Result<Self> {
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// Makes a code valid until `expires_at`, unless it has been before, whatever has become of it.
    pub(crate) async fn activate(&self, code: &CodeHash, expires_at: OffsetDateTime) -> sqlx::Result<()> {
        sqlx::query("INSERT INTO codes VALUES (?, ?, 'valid') ON CONFLICT DO NOTHING")
            .bind(code.as_str())
            .bind(expires_at.unix_timestamp())
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Makes a code invalid.
    pub(crate) async fn expire(&self, code: &CodeHash) -> sqlx::Result<()> {
        sqlx::query("UPDATE codes SET state = 'expired' WHERE code_hash = ? AND state = 'valid'")
            .bind(code.as_str())
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Uses a code that is valid `now`. The answer is whether it was; of two that use it at once, one gets `true`.
    pub(crate) async fn verify(&self, code: &CodeHash, now: OffsetDateTime) -> sqlx::Result<bool> {
        sqlx::query(
            "UPDATE codes SET state = 'used'
             WHERE code_hash = ? AND state = 'valid' AND expires_at > ? RETURNING code_hash",
        )
        .bind(code.as_str())
        .bind(now.unix_timestamp())
        .fetch_optional(&self.0)
        .await
        .map(|row| row.is_some())
    }

    /// Forgets the codes of which no message can be left.
    pub(crate) async fn forget(&self, now: OffsetDateTime) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM codes WHERE expires_at < ?")
            .bind((now - LONGEST_IN_A_QUEUE).unix_timestamp())
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Closes the connections, after what is under way.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }

    /// A table in memory, and the tests' way to look into it.
    #[cfg(test)]
    pub(crate) async fn in_memory() -> Self {
        // It lives as long as its connection, and is that one's alone.
        let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None);
        let pool = pool.max_lifetime(None).connect("sqlite::memory:").await.unwrap();
        Self::of(pool).await.unwrap()
    }

    #[cfg(test)]
    pub(crate) async fn states(&self) -> Vec<String> {
        sqlx::query_scalar("SELECT state FROM codes ORDER BY code_hash")
            .fetch_all(&self.0)
            .await
            .unwrap()
    }

    #[cfg(test)]
    pub(crate) async fn destroy(&self) {
        sqlx::raw_sql("DROP TABLE codes").execute(&self.0).await.unwrap();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::CodeHasher;
    use time::macros::datetime;
    use tokio::task::JoinSet;

    const NOW: OffsetDateTime = datetime!(2026-08-01 12:00 UTC);
    const EXPIRES: OffsetDateTime = datetime!(2026-08-01 12:10 UTC);

    fn code() -> CodeHash {
        CodeHasher::new(b"key").hash(None, "ojE-161-pTv")
    }

    #[tokio::test]
    async fn a_code_is_valid_from_its_activation() {
        let table = CodeTable::in_memory().await;
        assert!(!table.verify(&code(), NOW).await.unwrap());
        table.activate(&code(), EXPIRES).await.unwrap();
        assert!(
            !table
                .verify(&CodeHasher::new(b"key").hash(None, "another"), NOW)
                .await
                .unwrap()
        );
        assert!(table.verify(&code(), NOW).await.unwrap());
    }

    #[tokio::test]
    async fn a_code_is_invalid_when_its_time_has_come_whatever_the_queue_does() {
        let table = CodeTable::in_memory().await;
        table.activate(&code(), EXPIRES).await.unwrap();
        assert!(!table.verify(&code(), EXPIRES).await.unwrap());
        assert!(table.verify(&code(), EXPIRES - Duration::SECOND).await.unwrap());
    }

    #[tokio::test]
    async fn a_used_code_stays_used() {
        let table = CodeTable::in_memory().await;
        table.activate(&code(), EXPIRES).await.unwrap();
        assert!(table.verify(&code(), NOW).await.unwrap());
        for _ in 0..2 {
            assert!(!table.verify(&code(), NOW).await.unwrap());
            table.activate(&code(), EXPIRES + Duration::HOUR).await.unwrap();
            table.expire(&code()).await.unwrap();
        }
        assert_eq!(table.states().await, ["used"]);
    }

    #[tokio::test]
    async fn an_expired_code_stays_expired() {
        let table = CodeTable::in_memory().await;
        table.activate(&code(), EXPIRES).await.unwrap();
        for _ in 0..2 {
            table.expire(&code()).await.unwrap();
            assert!(!table.verify(&code(), NOW).await.unwrap());
            table.activate(&code(), EXPIRES + Duration::HOUR).await.unwrap();
        }
        assert_eq!(table.states().await, ["expired"]);
    }

    #[tokio::test]
    async fn to_expire_what_there_is_not_does_nothing() {
        let table = CodeTable::in_memory().await;
        table.expire(&code()).await.unwrap();
        assert_eq!(table.states().await, [""; 0]);
    }

    #[tokio::test]
    async fn a_second_activation_does_not_lengthen_a_life() {
        let table = CodeTable::in_memory().await;
        table.activate(&code(), EXPIRES).await.unwrap();
        table.activate(&code(), EXPIRES + Duration::HOUR).await.unwrap();
        assert!(!table.verify(&code(), EXPIRES).await.unwrap());
    }

    #[tokio::test]
    async fn a_code_is_forgotten_when_no_message_about_it_can_be_left() {
        let table = CodeTable::in_memory().await;
        table.activate(&code(), EXPIRES).await.unwrap();
        table.forget(EXPIRES + Duration::days(7)).await.unwrap();
        assert_eq!(table.states().await, ["valid"]);
        table
            .forget(EXPIRES + Duration::days(7) + Duration::SECOND)
            .await
            .unwrap();
        assert_eq!(table.states().await, [""; 0]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn of_many_who_use_a_code_at_once_one_succeeds() {
        let directory = std::env::temp_dir().join(format!("codes-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&directory).unwrap();
        let file = SqliteConnectOptions::new()
            .filename(directory.join("codes.db"))
            .create_if_missing(true);
        // As of two processes.
        let tables = [
            CodeTable::open(file.clone()).await.unwrap(),
            CodeTable::open(file).await.unwrap(),
        ];
        tables[0].activate(&code(), EXPIRES).await.unwrap();
        let mut tries = JoinSet::new();
        for number in 0..50 {
            let table = tables[number % 2].clone();
            tries.spawn(async move { table.verify(&code(), NOW).await.unwrap() });
        }
        let successes = tries.join_all().await.into_iter().filter(|success| *success).count();
        assert_eq!(successes, 1);
        for table in &tables {
            table.close().await;
        }
        std::fs::remove_dir_all(directory).unwrap();
    }
}
