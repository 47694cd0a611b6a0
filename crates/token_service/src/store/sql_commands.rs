//! The operations on the whole database, in SQL: its resource, and the changes that an operator decides on.

use crate::{
    resource::ResourceId,
    store::{
        Renamed, StoreError,
        sql::{SqlDatabase, parse_identity, to_micros, with_timeout},
    },
    user::MAX_USER_ID_BYTES,
};
use sqlx::{
    ColumnIndex, Decode, Encode, Executor, IntoArguments, Type, database::HasStatementCache, query, query_as,
    query_scalar,
};
use time::OffsetDateTime;

/// The row of `settings` with the id of the resource.
const RESOURCE: &str = "resource";
/// The beginning of the rows with the endpoints that have proved to be of a resource.
const ENDPOINT: &str = "endpoint ";

impl<DB> SqlDatabase<DB>
where
    DB: sqlx::Database + HasStatementCache,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'v> &'v str: Encode<'v, DB> + Type<DB>,
    for<'v> Option<&'v str>: Encode<'v, DB> + Type<DB>,
    for<'v> &'v [u8]: Encode<'v, DB> + Type<DB>,
    for<'v> String: Encode<'v, DB> + Decode<'v, DB> + Type<DB>,
    for<'v> Option<String>: Decode<'v, DB>,
    for<'v> Vec<u8>: Decode<'v, DB> + Type<DB>,
    for<'v> i64: Encode<'v, DB> + Decode<'v, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    pub(super) async fn find_resource(&self) -> Result<Option<ResourceId>, StoreError> {
        const OPERATION: &str = "find its resource";
        const RECORDED: &str = "SELECT value FROM settings WHERE name = $1";
        // Of a database without a record, which an earlier version created.
        const ANY_IDENTITY: &str = "SELECT identity FROM users WHERE identity IS NOT NULL \
            UNION ALL SELECT identity FROM retired LIMIT 1";
        let recorded = query_as::<_, (String,)>(RECORDED).bind(RESOURCE);
        if let Some((id,)) = self.fetch_optional(OPERATION, recorded).await? {
            return Ok(Some(ResourceId::new(&id)));
        }
        let identity = self
            .fetch_optional(OPERATION, query_as::<_, (String,)>(ANY_IDENTITY))
            .await?;
        let identity = identity.map(|(identity,)| parse_identity(OPERATION, &identity));
        Ok(identity.transpose()?.as_ref().map(ResourceId::of))
    }

    pub(super) async fn insert_resource(
        &self,
        resource: &ResourceId,
        endpoint: &str,
    ) -> Result<ResourceId, StoreError> {
        const OPERATION: &str = "record its resource";
        const INSERT: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
        // An endpoint can be given to another resource.
        const UPSERT: &str = "INSERT INTO settings (name, value) VALUES ($1, $2) \
            ON CONFLICT (name) DO UPDATE SET value = excluded.value";
        // Before the insertion, as identities of an earlier version decide.
        let first = self.find_resource().await?.unwrap_or_else(|| resource.clone());
        let insert = query(INSERT).bind(RESOURCE).bind(first.as_str());
        self.execute(OPERATION, insert).await?;
        let recorded = self.find_resource().await?;
        let recorded = recorded.ok_or_else(|| StoreError::unreadable(OPERATION, "a resource"))?;
        if recorded == *resource {
            let name = format!("{ENDPOINT}{endpoint}");
            let upsert = query(UPSERT).bind(name.as_str()).bind(resource.as_str());
            self.execute(OPERATION, upsert).await?;
        }
        Ok(recorded)
    }

    pub(super) async fn find_endpoint(&self, endpoint: &str) -> Result<Option<ResourceId>, StoreError> {
        let name = format!("{ENDPOINT}{endpoint}");
        let find = query_as::<_, (String,)>("SELECT value FROM settings WHERE name = $1").bind(name.as_str());
        let found = self.fetch_optional("find the resource of an endpoint", find).await?;
        Ok(found.map(|(id,)| ResourceId::new(&id)))
    }

    pub(super) async fn replace_resource(&self, to: &ResourceId) -> Result<Vec<(String, String)>, StoreError> {
        const LEFT: &str = "SELECT user_id, identity FROM users WHERE identity IS NOT NULL \
            UNION ALL SELECT '', identity FROM retired ORDER BY 1, 2";
        let moved = async {
            let mut lease = self.pool.lease().await?;
            let mut work = self.pool.transaction(&mut lease).await?;
            let left = query_as::<_, (String, String)>(LEFT).persistent(self.pool.named());
            let left = left.fetch_all(&mut *work).await?;
            for statement in ["DELETE FROM tokens", "DELETE FROM users", "DELETE FROM retired"] {
                query(statement)
                    .persistent(self.pool.named())
                    .execute(&mut *work)
                    .await?;
            }
            let forget = query("DELETE FROM settings WHERE name = $1 OR name LIKE 'endpoint %'").bind(RESOURCE);
            forget.persistent(self.pool.named()).execute(&mut *work).await?;
            let record = query("INSERT INTO settings (name, value) VALUES ($1, $2)").bind(RESOURCE);
            let record = record.bind(to.as_str()).persistent(self.pool.named());
            record.execute(&mut *work).await?;
            self.announce(&mut work, "").await?;
            work.commit().await?;
            lease.finish();
            Ok(left)
        };
        with_timeout("move to another resource", moved).await
    }

    pub(super) async fn delete_all_tokens(&self) -> Result<u64, StoreError> {
        const NEXT_GENERATIONS: &str = "UPDATE users SET generation = generation + 1 WHERE identity IS NOT NULL";
        const COUNT: &str = "SELECT count(*) FROM tokens";
        let forgotten = async {
            let mut lease = self.pool.lease().await?;
            let mut work = self.pool.transaction(&mut lease).await?;
            let next = query(NEXT_GENERATIONS).persistent(self.pool.named());
            next.execute(&mut *work).await?;
            let count = query_scalar::<_, i64>(COUNT).persistent(self.pool.named());
            let count = count.fetch_one(&mut *work).await?;
            let delete = query("DELETE FROM tokens").persistent(self.pool.named());
            delete.execute(&mut *work).await?;
            self.announce(&mut work, "").await?;
            work.commit().await?;
            lease.finish();
            Ok(count)
        };
        let forgotten = with_timeout("forget all tokens", forgotten).await?;
        Ok(forgotten.unsigned_abs())
    }

    pub(super) async fn replace_beginning(
        &self,
        from: &str,
        to: &str,
        replace: bool,
        now: OffsetDateTime,
    ) -> Result<Renamed, StoreError> {
        const OPERATION: &str = "rename the issuer of its users";
        // `substr` counts characters in both databases, and so does `length`.
        const CONFLICTS: &str = "SELECT count(*) FROM users old JOIN users new \
            ON new.user_id = $2 || substr(old.user_id, length($1) + 1) \
            WHERE substr(old.user_id, 1, length($1)) = $1";
        // In characters, of which the limit of `UserId` in bytes allows no more.
        const LONGEST: &str = "SELECT CAST(COALESCE(MAX(length($2 || substr(user_id, length($1) + 1))), 0) AS BIGINT) FROM users \
            WHERE substr(user_id, 1, length($1)) = $1";
        const RETIRE_NEW: &str = "INSERT INTO retired (identity, user_id, retired_at) \
            SELECT new.identity, new.user_id, $3 FROM users old JOIN users new \
            ON new.user_id = $2 || substr(old.user_id, length($1) + 1) \
            WHERE substr(old.user_id, 1, length($1)) = $1 AND new.identity IS NOT NULL \
            ON CONFLICT (identity) DO NOTHING";
        const DELETE_NEW: &str = "DELETE FROM users WHERE user_id IN \
            (SELECT $2 || substr(old.user_id, length($1) + 1) FROM users old \
            WHERE substr(old.user_id, 1, length($1)) = $1 AND $3 > 0)";
        // Sealed tokens are bound to the user's id, and would not open.
        const DELETE_TOKENS: &str = "DELETE FROM tokens WHERE substr(user_id, 1, length($1)) = $1";
        const RENAME_USERS: &str = "UPDATE users SET user_id = $2 || substr(user_id, length($1) + 1) \
            WHERE substr(user_id, 1, length($1)) = $1 RETURNING created_at";
        const RENAME_DELETIONS: &str = "UPDATE retired SET user_id = $2 || substr(user_id, length($1) + 1) \
            WHERE substr(user_id, 1, length($1)) = $1";
        let renamed = async {
            let mut lease = self.pool.lease().await?;
            let mut work = self.pool.transaction(&mut lease).await?;
            if replace {
                for statement in [RETIRE_NEW, DELETE_NEW] {
                    let replace = query(statement).bind(from).bind(to).bind(to_micros(now));
                    replace.persistent(self.pool.named()).execute(&mut *work).await?;
                }
            }
            for (statement, limit) in [(CONFLICTS, 0), (LONGEST, i64::from(MAX_USER_ID_BYTES))] {
                let found = query_scalar::<_, i64>(statement).bind(from).bind(to);
                let found = found.persistent(self.pool.named()).fetch_one(&mut *work).await?;
                if found > limit {
                    return Ok(if limit == 0 {
                        Renamed::Conflicts(found.unsigned_abs())
                    } else {
                        Renamed::TooLong
                    });
                }
            }
            let delete = query(DELETE_TOKENS).bind(from).persistent(self.pool.named());
            delete.execute(&mut *work).await?;
            let rename = query_as::<_, (i64,)>(RENAME_USERS).bind(from).bind(to);
            let renamed = rename.persistent(self.pool.named()).fetch_all(&mut *work).await?;
            if renamed.is_empty() {
                // Nothing is committed, as the caller can take this for a failure.
                return Ok(Renamed::Users(0));
            }
            let rename = query(RENAME_DELETIONS).bind(from).bind(to);
            rename.persistent(self.pool.named()).execute(&mut *work).await?;
            self.announce(&mut work, "").await?;
            work.commit().await?;
            lease.finish();
            Ok(Renamed::Users(renamed.len() as u64))
        };
        with_timeout(OPERATION, renamed).await
    }
}
