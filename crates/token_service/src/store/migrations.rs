//! The versions of the database's tables.
//!
//! A migration adds what older programs can ignore, so that they go on beside it and a roll-back starts. Once no older
//! program runs, a later migration can remove what it needed, and record the oldest version that still works as
//! `minimum_version` in `settings`.

use crate::store::{
    StoreError, StoreErrorKind,
    sql::{SqlDatabase, with_timeout},
};
use sqlx::{
    Decode, Executor, FromRow, IntoArguments, SqlSafeStr as _, Type,
    database::HasStatementCache,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
    query_scalar, raw_sql,
};
use std::{borrow::Cow, collections::BTreeSet, time::Duration};
use tokio::time::timeout;

/// The limit of a migration, also of one that another replica runs.
const MIGRATION_TIMEOUT: Duration = Duration::from_mins(1);

const MIGRATE: &str = "bring the database's tables up to date";
const CHECK: &str = "use the database's tables";

/// The files of `migrations/`. `sqlx::migrate!` would embed them too, and build the database drivers twice.
const FILES: [(i64, &str, &str); 2] = [
    (1, "users", include_str!("../../migrations/0001_users.sql")),
    (2, "settings", include_str!("../../migrations/0002_settings.sql")),
];

/// Returns the migrator, which needs a transaction as its lock, and ignores the versions of newer programs.
fn migrator() -> Migrator {
    let migrations = FILES.map(|(version, description, sql)| {
        Migration::new(
            version,
            Cow::Borrowed(description),
            MigrationType::Simple,
            sql.into_sql_str(),
            false,
        )
    });
    let mut migrator = Migrator::with_migrations(migrations.into());
    // PostgreSQL's own lock is bound to a session, which a pooler of transactions shares out.
    migrator.set_ignore_missing(true).set_locking(false);
    migrator
}

impl<DB> SqlDatabase<DB>
where
    DB: sqlx::Database + HasStatementCache,
    DB::Arguments: IntoArguments<DB>,
    DB::Connection: Migrate,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'r> i64: Decode<'r, DB> + Type<DB>,
    for<'r> String: Decode<'r, DB> + Type<DB>,
    for<'r> (i64,): FromRow<'r, DB::Row>,
    for<'r> (String,): FromRow<'r, DB::Row>,
{
    /// Creates or changes the tables, in one transaction. `before` and `after` are statements of the database for that.
    pub(super) async fn migrate(&self, before: &'static str, after: &'static str) -> Result<(), StoreError> {
        let migration = async {
            let mut lease = self.lease().await?;
            let mut work = self.transaction(&mut lease).await?;
            raw_sql(before.into_sql_str()).execute(&mut *work).await?;
            migrator().run_direct(None, &mut *work, false).await?;
            raw_sql(after.into_sql_str()).execute(&mut *work).await?;
            work.commit().await?;
            lease.finish();
            Ok::<_, MigrateError>(())
        };
        match timeout(MIGRATION_TIMEOUT, migration).await {
            Ok(outcome) => outcome.map_err(|error| StoreError::from_migration(MIGRATE, error)),
            Err(_) => Err(StoreError::new(
                MIGRATE,
                StoreErrorKind::Unavailable,
                "it was not done within a minute",
            )),
        }
    }

    /// Checks that the tables are those that this program needs, and that it is new enough for them.
    pub(super) async fn check_version(&self) -> Result<(), StoreError> {
        const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";
        const MINIMUM: &str = "SELECT value FROM settings WHERE name = 'minimum_version'";
        let outdated = || {
            let remedy = "they are not up to date: run `token_service migrate`";
            StoreError::new(CHECK, StoreErrorKind::OutdatedTables, remedy)
        };
        let found = with_timeout(CHECK, async {
            let mut lease = self.lease().await?;
            let mut work = self.statement(&mut lease).await?;
            let applied = query_scalar::<_, i64>(APPLIED).persistent(self.named());
            let applied: BTreeSet<_> = applied.fetch_all(&mut *work).await?.into_iter().collect();
            let mut minimum = None;
            if FILES.iter().all(|(version, ..)| applied.contains(version)) {
                let found = query_scalar::<_, String>(MINIMUM).persistent(self.named());
                minimum = Some(found.fetch_optional(&mut *work).await?);
            }
            work.commit().await?;
            lease.finish();
            Ok(minimum)
        });
        let minimum = match found.await {
            Ok(Some(minimum)) => minimum,
            Err(error) if error.kind() == StoreErrorKind::Unavailable => return Err(error),
            // A migration is missing, or their table.
            Ok(None) | Err(_) => return Err(outdated()),
        };
        let known = FILES.last().map_or(0, |(version, ..)| *version);
        let minimum = minimum.map(|minimum| minimum.parse::<i64>());
        if minimum.is_some_and(|minimum| minimum.is_ok_and(|minimum| minimum > known)) {
            let remedy = "a newer version of this program has changed them for good: start that version";
            return Err(StoreError::new(CHECK, StoreErrorKind::Database, remedy));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

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
        let embedded = FILES.map(|(version, name, sql)| (format!("{version:04}_{name}"), sql.to_owned()));
        assert_eq!(files, embedded);
    }
}
