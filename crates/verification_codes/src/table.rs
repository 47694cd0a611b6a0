//! The table of codes, which decides whether a code is valid.
//!
//! A used or expired code stays in the table for as long as a queue can deliver a message about it, so that a repeated
//! message cannot make it valid again.

use crate::code::CodeHash;
use sqlx::{
    SqlitePool,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions},
};
use time::{Duration, OffsetDateTime};

/// The default time that a queue keeps a message.
const MESSAGE_TTL: Duration = Duration::days(7);

/// A code in state `valid` is valid until `expires_at`, in seconds since 1970.
const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS codes (
        code_hash TEXT NOT NULL PRIMARY KEY,
        expires_at INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('valid', 'used', 'expired'))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS codes_by_expiry ON codes (expires_at);";

/// A table in an SQLite database. Each operation is atomic, also across processes.
#[derive(Clone)]
pub(crate) struct CodeTable(SqlitePool);

impl CodeTable {
    /// Opens the table in a database file.
    pub(crate) async fn open(database: SqliteConnectOptions) -> sqlx::Result<Self> {
        let database = database
            .busy_timeout(Duration::seconds(5).unsigned_abs())
            .journal_mode(SqliteJournalMode::Wal);
        Self::create_in(SqlitePoolOptions::new().connect_with(database).await?).await
    }

    async fn create_in(pool: SqlitePool) -> sqlx::Result<Self> {
        sqlx::raw_sql(SCHEMA).execute(&pool).await?;
        Ok(Self(pool))
    }

    /// Makes a code valid until `expires_at`, unless the table has it in any state.
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

    /// Uses a code, and returns whether it was valid `now`. Of concurrent uses, one returns `true`.
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

    /// Deletes the codes about which no message can be delivered any more.
    pub(crate) async fn delete_old(&self, now: OffsetDateTime) -> sqlx::Result<()> {
        sqlx::query("DELETE FROM codes WHERE expires_at < ?")
            .bind((now - MESSAGE_TTL).unix_timestamp())
            .execute(&self.0)
            .await?;
        Ok(())
    }

    /// Closes the connections when running operations have finished.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }

    #[cfg(test)]
    pub(crate) async fn in_memory() -> Self {
        // The database lives as long as its only connection.
        let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None);
        let pool = pool.max_lifetime(None).connect("sqlite::memory:").await.unwrap();
        Self::create_in(pool).await.unwrap()
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
    use crate::code::CodeHasher;
    use time::macros::datetime;
    use tokio::task::JoinSet;

    const NOW: OffsetDateTime = datetime!(2026-08-01 12:00 UTC);
    const EXPIRES: OffsetDateTime = datetime!(2026-08-01 12:10 UTC);

    fn code() -> CodeHash {
        CodeHasher::new(b"key").hash(None, "ojE-161-pTv")
    }

    #[tokio::test]
    async fn code_is_valid_after_activation() {
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
    async fn code_expires_without_a_message() {
        let table = CodeTable::in_memory().await;
        table.activate(&code(), EXPIRES).await.unwrap();
        assert!(!table.verify(&code(), EXPIRES).await.unwrap());
        assert!(table.verify(&code(), EXPIRES - Duration::SECOND).await.unwrap());
    }

    #[tokio::test]
    async fn used_code_stays_used() {
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
    async fn expired_code_stays_expired() {
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
    async fn expiring_an_unknown_code_does_nothing() {
        let table = CodeTable::in_memory().await;
        table.expire(&code()).await.unwrap();
        assert_eq!(table.states().await, [""; 0]);
    }

    #[tokio::test]
    async fn second_activation_does_not_extend_the_expiry() {
        let table = CodeTable::in_memory().await;
        table.activate(&code(), EXPIRES).await.unwrap();
        table.activate(&code(), EXPIRES + Duration::HOUR).await.unwrap();
        assert!(!table.verify(&code(), EXPIRES).await.unwrap());
    }

    #[tokio::test]
    async fn code_is_deleted_a_week_after_expiry() {
        let table = CodeTable::in_memory().await;
        table.activate(&code(), EXPIRES).await.unwrap();
        table.delete_old(EXPIRES + Duration::days(7)).await.unwrap();
        assert_eq!(table.states().await, ["valid"]);
        table
            .delete_old(EXPIRES + Duration::days(7) + Duration::SECOND)
            .await
            .unwrap();
        assert_eq!(table.states().await, [""; 0]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_of_many_concurrent_uses_succeeds() {
        let directory = std::env::temp_dir().join(format!("codes-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&directory).unwrap();
        let file = SqliteConnectOptions::new()
            .filename(directory.join("codes.db"))
            .create_if_missing(true);
        // Two tables, as two processes have them.
        let tables = [
            CodeTable::open(file.clone()).await.unwrap(),
            CodeTable::open(file).await.unwrap(),
        ];
        tables[0].activate(&code(), EXPIRES).await.unwrap();
        let mut attempts = JoinSet::new();
        for number in 0..50 {
            let table = tables[number % 2].clone();
            attempts.spawn(async move { table.verify(&code(), NOW).await.unwrap() });
        }
        let successes = attempts.join_all().await.into_iter().filter(|success| *success).count();
        assert_eq!(successes, 1);
        for table in &tables {
            table.close().await;
        }
        std::fs::remove_dir_all(directory).unwrap();
    }
}
