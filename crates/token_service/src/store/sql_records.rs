//! The records that operators read, in SQL, and the key of the audit log.

use crate::{
    store::{
        DueDeletion, DuePlace, StoreError, UserRecord,
        sql::{SqlDatabase, parse_time},
    },
    user::UserId,
};
use azure_communication_identity::CommunicationUserIdentifier;
use sqlx::{ColumnIndex, Decode, Encode, Executor, IntoArguments, Type, database::HasStatementCache, query, query_as};

/// The row of `settings` with the key of the audit log.
const AUDIT_KEY: &str = "audit_key";

type UserColumns = (String, Option<String>, i64, Option<i64>);

impl<DB> SqlDatabase<DB>
where
    DB: sqlx::Database + HasStatementCache,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'v> &'v str: Encode<'v, DB> + Type<DB>,
    for<'v> String: Encode<'v, DB> + Decode<'v, DB> + Type<DB>,
    for<'v> Option<String>: Decode<'v, DB>,
    for<'v> i64: Encode<'v, DB> + Decode<'v, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    pub(super) async fn select_user(&self, user: &UserId) -> Result<Option<UserRecord>, StoreError> {
        const SELECT: &str = "SELECT user_id, identity, created_at, claimed_until FROM users WHERE user_id = $1";
        self.select_one("find a user", SELECT, user.as_str()).await
    }

    pub(super) async fn select_user_of(
        &self,
        identity: &CommunicationUserIdentifier,
    ) -> Result<Option<UserRecord>, StoreError> {
        const SELECT: &str = "SELECT user_id, identity, created_at, claimed_until FROM users WHERE identity = $1";
        self.select_one("find the user of an identity", SELECT, identity.as_str())
            .await
    }

    async fn select_one(
        &self,
        operation: &'static str,
        select: &'static str,
        key: &str,
    ) -> Result<Option<UserRecord>, StoreError> {
        let select = query_as::<_, UserColumns>(select).bind(key);
        let row = self.fetch_optional(operation, select).await?;
        row.map(|row| parse_user(operation, row)).transpose()
    }

    pub(super) async fn select_users(&self, after: &str, limit: i64) -> Result<Vec<UserRecord>, StoreError> {
        const OPERATION: &str = "list its users";
        const SELECT: &str = "SELECT user_id, identity, created_at, claimed_until FROM users \
            WHERE user_id > $1 ORDER BY user_id LIMIT $2";
        let select = query_as::<_, UserColumns>(SELECT).bind(after).bind(limit);
        let rows = self.fetch_all(OPERATION, select).await?;
        rows.into_iter().map(|row| parse_user(OPERATION, row)).collect()
    }

    pub(super) async fn select_deletions(
        &self,
        after: DuePlace<'_>,
        limit: i64,
    ) -> Result<Vec<DueDeletion>, StoreError> {
        const OPERATION: &str = "list the deletions that are due";
        const SELECT: &str = "SELECT identity, user_id, retired_at FROM retired \
            WHERE retired_at >= $1 AND (retired_at > $1 OR identity > $2) ORDER BY retired_at, identity LIMIT $3";
        let select = query_as::<_, (String, Option<String>, i64)>(SELECT);
        let select = select.bind(after.micros).bind(after.identity).bind(limit);
        let rows = self.fetch_all(OPERATION, select).await?;
        let parse = |(identity, user_id, micros)| {
            Ok(DueDeletion {
                identity,
                user_id,
                due_since: parse_time(OPERATION, micros)?,
            })
        };
        rows.into_iter().map(parse).collect()
    }

    pub(super) async fn insert_audit_key(&self, candidate: &str) -> Result<String, StoreError> {
        const OPERATION: &str = "find the key of the audit log";
        const SELECT: &str = "SELECT value FROM settings WHERE name = $1";
        const INSERT: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        let select = || query_as::<_, (String,)>(SELECT).bind(AUDIT_KEY);
        if let Some((key,)) = self.fetch_optional(OPERATION, select()).await? {
            return Ok(key);
        }
        let insert = query(INSERT).bind(AUDIT_KEY).bind(candidate);
        self.execute(OPERATION, insert).await?;
        // Another replica may have been the first.
        let found = self.fetch_optional(OPERATION, select()).await?;
        found
            .map(|(key,)| key)
            .ok_or_else(|| StoreError::unreadable(OPERATION, "a key"))
    }
}

fn parse_user(operation: &'static str, row: UserColumns) -> Result<UserRecord, StoreError> {
    let (user_id, identity, created_at, claimed_until) = row;
    Ok(UserRecord {
        user_id,
        identity,
        created_at: parse_time(operation, created_at)?,
        claimed_until: claimed_until.map(|micros| parse_time(operation, micros)).transpose()?,
    })
}
