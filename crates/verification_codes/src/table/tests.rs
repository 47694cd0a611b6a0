//! The table's operations, on SQLite and, if the environment names a server, on PostgreSQL. `interop/postgres/run` starts one
//! for the tests.

use super::*;
use crate::code::CodeHasher;
use database::testing::create_postgres;
use sqlx::{Executor, PgPool, SqlitePool, query_scalar};
use std::{env, fs, path::PathBuf, sync::Mutex};
use time::{Duration, macros::datetime};
use tokio::task::JoinSet;

/// The variable with the URL of a PostgreSQL server, on which the tests create databases.
const SERVER_VARIABLE: &str = "STORE_TEST_POSTGRES";

const NOW: OffsetDateTime = datetime!(2026-08-01 12:00 UTC);
const EXPIRES: OffsetDateTime = datetime!(2026-08-01 12:10 UTC);
const LEASE: Duration = Duration::seconds(30);

/// A table whose clock a test sets.
#[derive(Clone)]
pub(crate) struct TestTable {
    pub(crate) table: Arc<dyn CodeTable>,
    now: Arc<Mutex<OffsetDateTime>>,
    pool: TestPool,
}

#[derive(Clone)]
enum TestPool {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

impl TestTable {
    /// Opens a table in memory.
    pub(crate) async fn in_memory(now: OffsetDateTime) -> Self {
        Self::open("sqlite::memory:", now).await
    }

    async fn open(url: &str, now: OffsetDateTime) -> Self {
        let now = Arc::new(Mutex::new(now));
        let clock = TableClock::Fixed(now.clone());
        let (table, pool): (Arc<dyn CodeTable>, _) = match DatabaseUrl::parse(url).unwrap() {
            DatabaseUrl::Sqlite(url) => {
                let connections = Connections::open_sqlite(url, SQLITE_CONNECTIONS).await.unwrap();
                connections.migrate(&MIGRATIONS).await.unwrap();
                let pool = TestPool::Sqlite(connections.pool().clone());
                (Arc::new(SqlTable::new(connections, clock)), pool)
            }
            DatabaseUrl::Postgres(url) => {
                let connections = Connections::open_postgres(url, POSTGRES_CONNECTIONS).await.unwrap();
                connections.migrate(&MIGRATIONS).await.unwrap();
                let pool = TestPool::Postgres(connections.pool().clone());
                (Arc::new(SqlTable::new(connections, clock)), pool)
            }
        };
        Self { table, now, pool }
    }

    pub(crate) fn set_time(&self, now: OffsetDateTime) {
        *self.now.lock().unwrap() = now;
    }

    pub(crate) async fn states(&self) -> Vec<String> {
        self.texts("SELECT state FROM verification_codes ORDER BY code_hash")
            .await
    }

    async fn texts(&self, statement: &'static str) -> Vec<String> {
        match &self.pool {
            TestPool::Sqlite(pool) => query_scalar(statement).fetch_all(pool).await.unwrap(),
            TestPool::Postgres(pool) => query_scalar(statement).fetch_all(pool).await.unwrap(),
        }
    }

    /// Makes a code valid, as a watcher does.
    pub(crate) async fn activate(&self, code: &CodeHash, expires_at: OffsetDateTime) {
        let holder = Uuid::new_v4();
        let now = self.table.now().await.unwrap();
        let claim = self.table.claim(code, expires_at, holder, now, now + LEASE).await;
        if let Claim::Granted { .. } = claim.unwrap() {
            self.table.complete(code, holder).await.unwrap();
        }
    }

    /// Makes the table unavailable, until it is repaired.
    pub(crate) async fn destroy(&self) {
        self.execute("ALTER TABLE verification_codes RENAME TO destroyed").await;
    }

    pub(crate) async fn repair(&self) {
        self.execute("ALTER TABLE destroyed RENAME TO verification_codes").await;
    }

    async fn execute(&self, statement: &'static str) {
        match &self.pool {
            TestPool::Sqlite(pool) => drop(pool.execute(statement).await.unwrap()),
            TestPool::Postgres(pool) => drop(pool.execute(statement).await.unwrap()),
        }
    }

    async fn verify(&self, code: &CodeHash, now: OffsetDateTime) -> bool {
        self.table.verify(code, now).await.unwrap()
    }

    async fn claim(&self, holder: Uuid, now: OffsetDateTime) -> Claim {
        let claim = self.table.claim(&code(), EXPIRES, holder, now, now + LEASE).await;
        claim.unwrap()
    }

    async fn attempt(&self, caller: &str, per_minute: u32, now: OffsetDateTime) -> Attempt {
        let quota = Quota {
            per_minute: per_minute.try_into().unwrap(),
        };
        let caller = CodeHasher::new(b"key").hash_caller("verify", caller);
        self.table.attempt(&caller, quota, now).await.unwrap()
    }
}

fn code() -> CodeHash {
    CodeHasher::new(b"key").hash(None, "ojE-161-pTv")
}

/// Runs a test with a table of each database.
async fn on_each(test: impl AsyncFn(TestTable)) {
    test(TestTable::in_memory(NOW).await).await;
    on_each_shared(async |url| test(TestTable::open(&url, NOW).await).await).await;
}

/// Runs a test with the URL of each database that several processes can share. The database is empty.
async fn on_each_shared(test: impl AsyncFn(String)) {
    let directory = TempFolder::new();
    test(format!(
        "sqlite://{}?mode=rwc",
        directory.0.join("codes.db").to_str().unwrap()
    ))
    .await;
    if let Some(server) = env::var_os(SERVER_VARIABLE) {
        test(create_postgres(server.to_str().unwrap()).await.unwrap()).await;
    }
}

/// A folder that is removed with its test.
struct TempFolder(PathBuf);

impl TempFolder {
    fn new() -> Self {
        let path = env::temp_dir().join(format!("verification_codes-{}", Uuid::new_v4()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let removed = fs::remove_dir_all(&self.0);
        assert!(removed.is_ok() || std::thread::panicking());
    }
}

#[test]
fn migrations_are_the_files_of_the_folder() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(&path).unwrap())
        })
        .collect();
    files.sort_unstable();
    let embedded = MIGRATIONS.files.iter();
    let embedded: Vec<_> = embedded
        .map(|(version, name, sql)| (format!("{version:04}_{name}"), (*sql).to_owned()))
        .collect();
    assert_eq!(files, embedded);
}

#[tokio::test]
async fn code_is_valid_after_activation() {
    on_each(async |table| {
        assert!(!table.verify(&code(), NOW).await);
        table.activate(&code(), EXPIRES).await;
        let another = CodeHasher::new(b"key").hash(None, "another");
        assert!(!table.verify(&another, NOW).await);
        assert!(table.verify(&code(), NOW).await);
    })
    .await;
}

#[tokio::test]
async fn code_expires_without_a_message() {
    on_each(async |table| {
        table.activate(&code(), EXPIRES).await;
        assert!(!table.verify(&code(), EXPIRES).await);
        assert!(table.verify(&code(), EXPIRES - Duration::MICROSECOND).await);
    })
    .await;
}

#[tokio::test]
async fn used_code_stays_used() {
    on_each(async |table| {
        table.activate(&code(), EXPIRES).await;
        assert!(table.verify(&code(), NOW).await);
        for _ in 0..2 {
            assert!(!table.verify(&code(), NOW).await);
            table.activate(&code(), EXPIRES + Duration::HOUR).await;
            table.table.expire(&code(), EXPIRES).await.unwrap();
        }
        assert_eq!(table.states().await, ["used"]);
    })
    .await;
}

#[tokio::test]
async fn expired_code_stays_expired() {
    on_each(async |table| {
        table.activate(&code(), EXPIRES).await;
        for _ in 0..2 {
            table.table.expire(&code(), EXPIRES).await.unwrap();
            assert!(!table.verify(&code(), NOW).await);
            table.activate(&code(), EXPIRES + Duration::HOUR).await;
        }
        assert_eq!(table.states().await, ["expired"]);
    })
    .await;
}

#[tokio::test]
async fn code_does_not_expire_early() {
    on_each(async |table| {
        table.activate(&code(), EXPIRES).await;
        let early = EXPIRES - Duration::MICROSECOND;
        table.table.expire(&code(), early).await.unwrap();
        assert_eq!(table.states().await, ["valid"]);
        table.table.expire(&code(), EXPIRES).await.unwrap();
        assert_eq!(table.states().await, ["expired"]);
    })
    .await;
}

#[tokio::test]
async fn second_activation_does_not_extend_the_expiry() {
    on_each(async |table| {
        table.activate(&code(), EXPIRES).await;
        table.activate(&code(), EXPIRES + Duration::HOUR).await;
        assert!(!table.verify(&code(), EXPIRES).await);
    })
    .await;
}

#[tokio::test]
async fn expiring_an_unknown_code_does_nothing() {
    on_each(async |table| {
        table.table.expire(&code(), EXPIRES).await.unwrap();
        assert_eq!(table.states().await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn code_is_deleted_a_week_after_expiry() {
    on_each(async |table| {
        table.activate(&code(), EXPIRES).await;
        let week = EXPIRES + Duration::days(7);
        table.table.delete_old(week).await.unwrap();
        assert_eq!(table.states().await, ["valid"]);
        table.table.delete_old(week + Duration::SECOND).await.unwrap();
        assert_eq!(table.states().await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn claim_is_of_one_holder_until_its_end() {
    on_each(async |table| {
        let (first, second) = (Uuid::new_v4(), Uuid::new_v4());
        let until = NOW + LEASE;
        assert_eq!(table.claim(first, NOW).await, Claim::Granted { unfinished: 1 });
        let almost = until - Duration::MICROSECOND;
        assert_eq!(table.claim(second, almost).await, Claim::Held { until });
        assert_eq!(table.claim(second, until).await, Claim::Granted { unfinished: 2 });
        // The first one comes too late to complete or release.
        table.table.complete(&code(), first).await.unwrap();
        table.table.release(&code(), first, until).await.unwrap();
        let until = until + LEASE;
        assert_eq!(table.claim(first, almost).await, Claim::Held { until });
        table.table.complete(&code(), second).await.unwrap();
        assert_eq!(table.claim(first, until).await, Claim::Completed);
    })
    .await;
}

#[tokio::test]
async fn released_claim_is_not_counted() {
    on_each(async |table| {
        for _ in 0..10 {
            let holder = Uuid::new_v4();
            assert_eq!(table.claim(holder, NOW).await, Claim::Granted { unfinished: 1 });
            table.table.release(&code(), holder, NOW).await.unwrap();
        }
        assert_eq!(table.claim(Uuid::new_v4(), NOW).await, Claim::Granted { unfinished: 1 });
    })
    .await;
}

#[tokio::test]
async fn claimed_code_is_valid_already() {
    on_each(async |table| {
        table.claim(Uuid::new_v4(), NOW).await;
        assert!(table.verify(&code(), NOW).await);
    })
    .await;
}

#[tokio::test]
async fn attempts_are_limited_per_caller() {
    on_each(async |table| {
        for _ in 0..3 {
            assert_eq!(table.attempt("alice", 3, NOW).await, Attempt::Granted);
        }
        let wait = StdDuration::from_secs(20);
        for _ in 0..2 {
            assert_eq!(table.attempt("alice", 3, NOW).await, Attempt::Refused { wait });
        }
        assert_eq!(table.attempt("bob", 3, NOW).await, Attempt::Granted);
        let later = NOW + Duration::seconds(20);
        let early = later - Duration::MICROSECOND;
        let wait = StdDuration::from_micros(1);
        assert_eq!(table.attempt("alice", 3, early).await, Attempt::Refused { wait });
        assert_eq!(table.attempt("alice", 3, later).await, Attempt::Granted);
        assert!(matches!(
            table.attempt("alice", 3, later).await,
            Attempt::Refused { .. }
        ));
        let much_later = later + Duration::HOUR;
        for _ in 0..3 {
            assert_eq!(table.attempt("alice", 3, much_later).await, Attempt::Granted);
        }
        assert!(matches!(
            table.attempt("alice", 3, much_later).await,
            Attempt::Refused { .. }
        ));
    })
    .await;
}

#[tokio::test]
async fn clock_that_is_set_back_locks_no_caller_out() {
    on_each(async |table| {
        table.attempt("alice", 1, NOW + Duration::HOUR).await;
        assert_eq!(table.attempt("alice", 1, NOW).await, Attempt::Granted);
        assert!(matches!(table.attempt("alice", 1, NOW).await, Attempt::Refused { .. }));
    })
    .await;
}

#[tokio::test]
async fn quota_can_have_any_size() {
    on_each(async |table| {
        for per_minute in [1, 7, 100_000, u32::MAX] {
            let caller = per_minute.to_string();
            assert_eq!(table.attempt(&caller, per_minute, NOW).await, Attempt::Granted);
            let second = table.attempt(&caller, per_minute, NOW).await;
            assert_eq!(second == Attempt::Granted, per_minute > 1, "{per_minute}");
        }
    })
    .await;
}

#[tokio::test]
async fn idle_callers_are_deleted() {
    on_each(async |table| {
        let callers = "SELECT caller_hash FROM verification_attempts";
        table.attempt("alice", 10, NOW).await;
        let restored = NOW + Duration::seconds(6);
        let early = restored - Duration::MICROSECOND;
        table.table.delete_idle_callers(early).await.unwrap();
        let [caller] = &table.texts(callers).await[..] else {
            panic!("the caller was deleted");
        };
        assert!(!caller.contains("alice"));
        table.table.delete_idle_callers(restored).await.unwrap();
        assert!(table.texts(callers).await.is_empty());
    })
    .await;
}

/// Runs operations of two tables of one database at once, as two processes do, and returns the outcomes.
async fn concurrently<T: Send + 'static, F: Future<Output = T> + Send + 'static>(
    url: &str,
    operation: impl Fn(TestTable) -> F,
) -> Vec<T> {
    let tables = [TestTable::open(url, NOW).await, TestTable::open(url, NOW).await];
    let mut tasks = JoinSet::new();
    for number in 0..50 {
        tasks.spawn(operation(tables[number % 2].clone()));
    }
    let outcomes = tasks.join_all().await;
    for table in &tables {
        table.table.close().await;
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_concurrent_uses_succeeds() {
    on_each_shared(async |url| {
        let table = TestTable::open(&url, NOW).await;
        table.activate(&code(), EXPIRES).await;
        let uses = concurrently(&url, |table| async move { table.verify(&code(), NOW).await }).await;
        assert_eq!(uses.iter().filter(|used| **used).count(), 1);
        table.table.close().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_many_concurrent_claims_is_granted() {
    on_each_shared(async |url| {
        let claims = concurrently(&url, |table| async move { table.claim(Uuid::new_v4(), NOW).await }).await;
        let granted = Claim::Granted { unfinished: 1 };
        assert_eq!(claims.iter().filter(|claim| **claim == granted).count(), 1);
        let held = Claim::Held { until: NOW + LEASE };
        assert_eq!(claims.iter().filter(|claim| **claim == held).count(), 49);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_attempts_share_a_quota() {
    on_each_shared(async |url| {
        let attempts = concurrently(&url, |table| async move { table.attempt("alice", 10, NOW).await }).await;
        let granted = attempts.iter().filter(|attempt| **attempt == Attempt::Granted);
        assert_eq!(granted.count(), 10);
    })
    .await;
}

#[tokio::test]
async fn clock_of_postgres_is_that_of_the_server() {
    on_each_shared(async |url| {
        let table = open(DatabaseUrl::parse(&url).unwrap()).await.unwrap();
        let difference = table.now().await.unwrap() - OffsetDateTime::now_utc();
        assert!(difference.abs() < Duration::HOUR, "{difference}");
        table.close().await;
    })
    .await;
}
