//! The versions of the database's tables.
//!
//! A migration adds what older programs can ignore, so that they go on beside it and a roll-back starts. Once no older
//! program runs, a later migration can remove what it needed, and record the oldest version that still works as
//! `minimum_version` in `settings`.

use crate::store::{
    StoreError, StoreErrorKind,
    sql::{SqlDatabase, with_timeout},
};
use database::Migrations;
use sqlx::{
    Decode, Executor, FromRow, IntoArguments, Type, database::HasStatementCache, migrate::Migrate, query_scalar,
};
use std::collections::BTreeSet;

const MIGRATE: &str = "bring the database's tables up to date";
const CHECK: &str = "use the database's tables";

/// The codes of PostgreSQL and SQLite for a table that does not exist.
const MISSING_TABLE: [&str; 2] = ["42P01", "1"];

/// The files of `migrations/`, with the table that `sqlx migrate` uses, too.
const MIGRATIONS: Migrations = Migrations {
    table: "_sqlx_migrations",
    files: &[
        (1, "users", include_str!("../../migrations/0001_users.sql")),
        (2, "settings", include_str!("../../migrations/0002_settings.sql")),
    ],
};

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
    /// Creates or changes the tables. Several replicas can do so at once.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        let migrated = self.pool.migrate(&MIGRATIONS).await;
        migrated.map_err(|error| StoreError::from_database(MIGRATE, error))
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
            let mut lease = self.pool.lease().await?;
            let mut work = self.pool.statement(&mut lease).await?;
            let applied = query_scalar::<_, i64>(APPLIED).persistent(self.pool.named());
            let applied: BTreeSet<_> = match applied.fetch_all(&mut *work).await {
                Err(sqlx::Error::Database(error))
                    if MISSING_TABLE.iter().any(|code| error.code() == Some((*code).into())) =>
                {
                    return Ok(None);
                }
                applied => applied?.into_iter().collect(),
            };
            let mut minimum = None;
            if MIGRATIONS.files.iter().all(|(version, ..)| applied.contains(version)) {
                let found = query_scalar::<_, String>(MINIMUM).persistent(self.pool.named());
                minimum = Some(found.fetch_optional(&mut *work).await?);
            }
            work.commit().await?;
            lease.finish();
            Ok(minimum)
        });
        // Without it, a migration is missing, or their table.
        let minimum = found.await?.ok_or_else(outdated)?;
        let known = MIGRATIONS.files.last().map_or(0, |(version, ..)| *version);
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
        let embedded = MIGRATIONS.files.iter();
        let embedded: Vec<_> = embedded
            .map(|(version, name, sql)| (format!("{version:04}_{name}"), (*sql).to_owned()))
            .collect();
        assert_eq!(files, embedded);
    }
}
