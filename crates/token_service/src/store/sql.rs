//! The operations in SQL, which is the same for SQLite and PostgreSQL.
//!
//! The table `users` has a row for each user with an identity or a claim, and `retired` one for each deletion that is due.

use crate::{
    resource::ResourceId,
    store::{
        Backlog, Change, Claim, Connections, Database, DueDeletion, DuePlace, Mapping, Renamed, SealedToken,
        StoreError, StoreErrorKind, UserRecord,
        listener::{CHANGES, Listener},
    },
    user::UserId,
};
use async_trait::async_trait;
use azure_communication_identity::CommunicationUserIdentifier;
use database::{Lease, Work};
use sqlx::{
    ColumnIndex, Decode, Encode, Executor, FromRow, IntoArguments, Pool, Type,
    database::HasStatementCache,
    query,
    query::{Query, QueryAs},
    query_as, query_scalar,
};
use std::{
    future::{Future, pending},
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::Duration,
};
use time::OffsetDateTime;
use tokio::time::timeout;
use uuid::Uuid;

/// The limit of an operation, its wait for a connection included.
const OPERATION_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest identity, and the longest list of scopes, in bytes. A key of a PostgreSQL index has at most 2704.
const MAX_TEXT_BYTES: usize = 512;

const FIND: &str = "SELECT identity, generation FROM users WHERE user_id = $1 AND identity IS NOT NULL";

/// Makes an identity due for deletion. A repetition, after a lost response, changes nothing.
const INSERT_DELETION: &str = "INSERT INTO retired (identity, user_id, retired_at) VALUES ($1, $2, $3) \
    ON CONFLICT (identity) DO NOTHING";

/// A database behind a pool of connections.
#[derive(Debug)]
pub(super) struct SqlDatabase<DB: sqlx::Database> {
    pool: Pool<DB>,
    dialect: Dialect,
    listener: Option<Listener>,
    /// The operations that wait for a connection, and those that got none.
    waiting: AtomicU32,
    failed: AtomicU64,
}

/// The differences between the databases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dialect {
    /// The statement that starts a transaction with writes.
    pub(super) begin: &'static str,
    /// The statement that checks the database. SQLite's writes, as it can be read on a full disk.
    pub(super) ping: &'static str,
    /// The statement that announces a change, with the channel and the change.
    pub(super) notify: Option<&'static str>,
    /// Set if the connection of an interrupted operation must be closed.
    pub(super) closes_interrupted: bool,
    /// Set behind a pooler, each of whose transactions can have another connection to the server. Then each statement is
    /// part of a transaction, and none has a name.
    pub(super) behind_pooler: bool,
}

impl<DB: sqlx::Database> SqlDatabase<DB> {
    pub(super) fn new(pool: Pool<DB>, dialect: Dialect, listener: Option<Listener>) -> Self {
        Self {
            pool,
            dialect,
            listener,
            waiting: AtomicU32::default(),
            failed: AtomicU64::default(),
        }
    }

    /// Waits for a connection.
    pub(super) async fn lease(&self) -> Result<Lease<DB>, sqlx::Error> {
        let _waiting = Waiting::new(&self.waiting);
        let lease = Lease::acquire(&self.pool, self.dialect.closes_interrupted).await;
        if lease.is_err() {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
        lease
    }

    /// Begins to work with one statement.
    pub(super) async fn statement<'c>(&self, lease: &'c mut Lease<DB>) -> Result<Work<'c, DB>, sqlx::Error> {
        if self.dialect.behind_pooler {
            lease.transaction(self.dialect.begin).await
        } else {
            lease.statement()
        }
    }

    pub(super) async fn transaction<'c>(&self, lease: &'c mut Lease<DB>) -> Result<Work<'c, DB>, sqlx::Error> {
        lease.transaction(self.dialect.begin).await
    }

    /// Returns whether statements have names.
    pub(super) fn named(&self) -> bool {
        !self.dialect.behind_pooler
    }
}

/// Counts an operation while it waits.
struct Waiting<'a>(&'a AtomicU32);

impl<'a> Waiting<'a> {
    fn new(waiting: &'a AtomicU32) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The operations of one statement.
impl<DB> SqlDatabase<DB>
where
    DB: sqlx::Database + HasStatementCache,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'v> &'v str: Encode<'v, DB> + Type<DB>,
{
    pub(super) async fn execute(
        &self,
        operation: &'static str,
        query: Query<'_, DB, DB::Arguments>,
    ) -> Result<(), StoreError> {
        let query = query.persistent(self.named());
        with_timeout(operation, async {
            let mut lease = self.lease().await?;
            let mut work = self.statement(&mut lease).await?;
            query.execute(&mut *work).await?;
            work.commit().await?;
            lease.finish();
            Ok(())
        })
        .await
    }

    pub(super) async fn fetch_all<T>(
        &self,
        operation: &'static str,
        query: QueryAs<'_, DB, T, DB::Arguments>,
    ) -> Result<Vec<T>, StoreError>
    where
        T: Send + Unpin + for<'r> FromRow<'r, DB::Row>,
    {
        let query = query.persistent(self.named());
        with_timeout(operation, async {
            let mut lease = self.lease().await?;
            let mut work = self.statement(&mut lease).await?;
            let rows = query.fetch_all(&mut *work).await?;
            work.commit().await?;
            lease.finish();
            Ok(rows)
        })
        .await
    }

    pub(super) async fn fetch_optional<T>(
        &self,
        operation: &'static str,
        query: QueryAs<'_, DB, T, DB::Arguments>,
    ) -> Result<Option<T>, StoreError>
    where
        T: Send + Unpin + for<'r> FromRow<'r, DB::Row>,
    {
        Ok(self.fetch_all(operation, query).await?.pop())
    }

    /// Announces a change when the transaction commits. An empty text means that every user may have changed.
    pub(super) async fn announce(&self, work: &mut Work<'_, DB>, change: &str) -> Result<(), sqlx::Error> {
        if let Some(notify) = self.dialect.notify {
            let notify = query(notify).bind(CHANGES).bind(change).persistent(self.named());
            notify.execute(&mut **work).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl<DB> Database for SqlDatabase<DB>
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
    async fn ping(&self) -> Result<(), StoreError> {
        self.execute("reach its database", query(self.dialect.ping)).await
    }

    fn connections(&self) -> Connections {
        Connections {
            max: self.pool.options().get_max_connections(),
            open: self.pool.size(),
            idle: u32::try_from(self.pool.num_idle()).unwrap_or(u32::MAX),
            waiting: self.waiting.load(Ordering::Relaxed),
            failed: self.failed.load(Ordering::Relaxed),
        }
    }

    async fn backlog(&self, now: OffsetDateTime) -> Result<Backlog, StoreError> {
        const BACKLOG: &str = "SELECT (SELECT COUNT(*) FROM retired), \
            (SELECT COUNT(*) FROM users WHERE identity IS NULL), \
            (SELECT COUNT(*) FROM users WHERE identity IS NULL AND claimed_until <= $1)";
        let backlog = query_as::<_, (i64, i64, i64)>(BACKLOG).bind(to_micros(now));
        let row = self.fetch_optional("count its backlog", backlog).await?;
        let (deletions, claims, expired_claims) = row.unwrap_or_default();
        Ok(Backlog {
            deletions,
            claims,
            expired_claims,
        })
    }

    async fn find(&self, user: &UserId) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "find a user's identity";
        let find = query_as(FIND).bind(user.as_str());
        let row = self.fetch_optional(OPERATION, find).await?;
        row.map(|row| parse_mapping(OPERATION, row)).transpose()
    }

    async fn claim(
        &self,
        user: &UserId,
        holder: Uuid,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Claim, StoreError> {
        const OPERATION: &str = "claim the creation of a user's identity";
        // The row of a claim that is taken over keeps its creation time.
        const CLAIM: &str = "INSERT INTO users (user_id, claimed_by, claimed_until, created_at) \
            VALUES ($1, $2, $3, $4) \
            ON CONFLICT (user_id) DO UPDATE SET claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until \
            WHERE users.identity IS NULL AND (users.claimed_until <= $4 OR users.claimed_by = $2) \
            RETURNING created_at";
        const STATE: &str = "SELECT identity, generation, claimed_until FROM users WHERE user_id = $1";
        let now = to_micros(now);
        let claim = query_as::<_, (i64,)>(CLAIM)
            .bind(user.as_str())
            .bind(holder.to_string())
            .bind(to_micros(until))
            .bind(now);
        if let Some((created_at,)) = self.fetch_optional(OPERATION, claim).await? {
            return Ok(Claim::Granted {
                taken_over: created_at != now,
            });
        }
        // The row can have changed since, but the claim is not the holder's.
        let state = query_as::<_, (Option<String>, i64, Option<i64>)>(STATE).bind(user.as_str());
        match self.fetch_optional(OPERATION, state).await? {
            Some((Some(identity), generation, _)) => {
                Ok(Claim::Completed(parse_mapping(OPERATION, (identity, generation))?))
            }
            Some((_, _, Some(until))) => Ok(Claim::Held {
                until: parse_time(OPERATION, until)?,
            }),
            // It was released since.
            _ => Ok(Claim::Held {
                until: parse_time(OPERATION, now)?,
            }),
        }
    }

    async fn complete(
        &self,
        user: &UserId,
        holder: Uuid,
        identity: &CommunicationUserIdentifier,
        now: OffsetDateTime,
    ) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "store a user's identity";
        const COMPLETE: &str = "UPDATE users SET identity = $3, claimed_by = NULL, claimed_until = NULL \
            WHERE user_id = $1 AND claimed_by = $2 RETURNING identity, generation";
        let (user, created) = (user.as_str(), checked_identity(OPERATION, identity)?);
        let complete = query_as::<_, (String, i64)>(COMPLETE).bind(user);
        let complete = complete.bind(holder.to_string()).bind(created);
        if let Some(row) = self.fetch_optional(OPERATION, complete).await? {
            return parse_mapping(OPERATION, row).map(Some);
        }
        let repeated = async {
            let mut lease = self.lease().await?;
            let mut work = self.transaction(&mut lease).await?;
            let find = query_as::<_, (String, i64)>(FIND).bind(user).persistent(self.named());
            let repeated = find.fetch_optional(&mut *work).await?;
            let repeated = repeated.filter(|(identity, _)| identity == created);
            if repeated.is_none() {
                let delete = query(INSERT_DELETION).bind(created).persistent(self.named());
                let delete = delete.bind(None::<&str>).bind(to_micros(now));
                delete.execute(&mut *work).await?;
            }
            work.commit().await?;
            lease.finish();
            Ok(repeated)
        };
        let row = with_timeout(OPERATION, repeated).await?;
        row.map(|row| parse_mapping(OPERATION, row)).transpose()
    }

    async fn release(&self, user: &UserId, holder: Uuid) -> Result<bool, StoreError> {
        const RELEASE: &str = "DELETE FROM users WHERE user_id = $1 AND claimed_by = $2 RETURNING created_at";
        let release = query_as::<_, (i64,)>(RELEASE);
        let release = release.bind(user.as_str()).bind(holder.to_string());
        let released = self.fetch_optional("release a claim", release).await?;
        Ok(released.is_some())
    }

    async fn release_expired(&self, now: OffsetDateTime) -> Result<u64, StoreError> {
        const RELEASE: &str = "DELETE FROM users WHERE identity IS NULL AND claimed_until <= $1 RETURNING created_at";
        let release = query_as::<_, (i64,)>(RELEASE).bind(to_micros(now));
        let released = self.fetch_all("release expired claims", release).await?;
        Ok(released.len() as u64)
    }

    async fn delete_user(&self, user: &UserId, now: OffsetDateTime) -> Result<bool, StoreError> {
        const DELETE: &str = "DELETE FROM users WHERE user_id = $1 RETURNING identity";
        let user = user.as_str();
        let deleted = async {
            let mut lease = self.lease().await?;
            let mut work = self.transaction(&mut lease).await?;
            let delete = query_scalar::<_, Option<String>>(DELETE).bind(user);
            let deleted = delete.persistent(self.named()).fetch_optional(&mut *work).await?;
            if let Some(Some(identity)) = &deleted {
                let delete = query(INSERT_DELETION).bind(identity).persistent(self.named());
                let delete = delete.bind(Some(user)).bind(to_micros(now));
                delete.execute(&mut *work).await?;
            }
            self.announce(&mut work, user).await?;
            work.commit().await?;
            lease.finish();
            Ok(deleted == Some(None))
        };
        with_timeout("delete a user", deleted).await
    }

    async fn due_deletions(
        &self,
        user: Option<&UserId>,
        now: OffsetDateTime,
        limit: i64,
    ) -> Result<Vec<CommunicationUserIdentifier>, StoreError> {
        const OPERATION: &str = "list the identities to be deleted";
        const OF_ALL: &str = "SELECT identity FROM retired WHERE retired_at <= $1 \
            ORDER BY retired_at, identity LIMIT $2";
        const OF_USER: &str = "SELECT identity FROM retired WHERE retired_at <= $1 AND user_id = $3 \
            ORDER BY retired_at, identity LIMIT $2";
        let due = query_as::<_, (String,)>(if user.is_some() { OF_USER } else { OF_ALL });
        let due = due.bind(to_micros(now)).bind(limit);
        let due = match user {
            Some(user) => due.bind(user.as_str()),
            None => due,
        };
        let identities = self.fetch_all(OPERATION, due).await?;
        let parse = |(identity,): &(String,)| parse_identity(OPERATION, identity);
        identities.iter().map(parse).collect()
    }

    async fn postpone_deletion(
        &self,
        identity: &CommunicationUserIdentifier,
        now: OffsetDateTime,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "postpone the deletion of an identity";
        let postpone = query("UPDATE retired SET retired_at = $2 WHERE identity = $1");
        let identity = checked_identity(OPERATION, identity)?;
        let postpone = postpone.bind(identity).bind(to_micros(now));
        self.execute(OPERATION, postpone).await
    }

    async fn complete_deletion(&self, identity: &CommunicationUserIdentifier) -> Result<(), StoreError> {
        const OPERATION: &str = "complete the deletion of an identity";
        let complete = query("DELETE FROM retired WHERE identity = $1");
        let complete = complete.bind(checked_identity(OPERATION, identity)?);
        self.execute(OPERATION, complete).await
    }

    async fn find_token(
        &self,
        user: &UserId,
        scopes: &str,
        mapping: &Mapping,
    ) -> Result<Option<SealedToken>, StoreError> {
        const OPERATION: &str = "find a stored token";
        const TOKEN: &str = "SELECT sealed, expires_on FROM tokens \
            WHERE user_id = $1 AND scopes = $2 AND identity = $3 AND generation = $4";
        let token = query_as::<_, (Vec<u8>, i64)>(TOKEN)
            .bind(user.as_str())
            .bind(checked_scopes(OPERATION, scopes)?)
            .bind(checked_identity(OPERATION, &mapping.identity)?)
            .bind(mapping.generation);
        let row = self.fetch_optional(OPERATION, token).await?;
        let parse = |(sealed, expires_on)| {
            Ok(SealedToken {
                sealed,
                expires_on: parse_time(OPERATION, expires_on)?,
            })
        };
        row.map(parse).transpose()
    }

    async fn put_token(
        &self,
        user: &UserId,
        scopes: &str,
        mapping: &Mapping,
        token: &SealedToken,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "store a token";
        // If tokens are deleted meanwhile, the row has an old generation and is never read.
        const PUT: &str = "INSERT INTO tokens (user_id, scopes, identity, generation, sealed, expires_on) \
            SELECT user_id, $2, identity, generation, $5, $6 FROM users \
            WHERE user_id = $1 AND identity = $3 AND generation = $4 \
            ON CONFLICT (user_id, scopes) DO UPDATE SET identity = excluded.identity, \
            generation = excluded.generation, sealed = excluded.sealed, expires_on = excluded.expires_on";
        let put = query(PUT)
            .bind(user.as_str())
            .bind(checked_scopes(OPERATION, scopes)?)
            .bind(checked_identity(OPERATION, &mapping.identity)?)
            .bind(mapping.generation)
            .bind(token.sealed.as_slice())
            .bind(to_micros(token.expires_on));
        let put = async {
            let mut lease = self.lease().await?;
            let mut work = self.statement(&mut lease).await?;
            match put.persistent(self.named()).execute(&mut *work).await {
                // The user was deleted meanwhile, and the mapping with them.
                Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => return Ok(()),
                outcome => outcome?,
            };
            work.commit().await?;
            lease.finish();
            Ok(())
        };
        with_timeout(OPERATION, put).await
    }

    async fn delete_tokens(&self, user: &UserId) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "delete a user's tokens";
        const NEXT_GENERATION: &str = "UPDATE users SET generation = generation + 1 \
            WHERE user_id = $1 AND identity IS NOT NULL RETURNING identity, generation";
        const DELETE: &str = "DELETE FROM tokens WHERE user_id = $1";
        let user = user.as_str();
        let deleted = async {
            let mut lease = self.lease().await?;
            let mut work = self.transaction(&mut lease).await?;
            let next = query_as(NEXT_GENERATION).bind(user).persistent(self.named());
            let mapping = next.fetch_optional(&mut *work).await?;
            let delete = query(DELETE).bind(user).persistent(self.named());
            delete.execute(&mut *work).await?;
            self.announce(&mut work, user).await?;
            work.commit().await?;
            lease.finish();
            Ok(mapping)
        };
        let row = with_timeout(OPERATION, deleted).await?;
        row.map(|row| parse_mapping(OPERATION, row)).transpose()
    }

    async fn delete_expired_tokens(&self, now: OffsetDateTime) -> Result<(), StoreError> {
        let delete = query("DELETE FROM tokens WHERE expires_on <= $1").bind(to_micros(now));
        self.execute("delete expired tokens", delete).await
    }

    async fn find_user(&self, user: &UserId) -> Result<Option<UserRecord>, StoreError> {
        self.select_user(user).await
    }

    async fn find_user_of(&self, identity: &CommunicationUserIdentifier) -> Result<Option<UserRecord>, StoreError> {
        self.select_user_of(identity).await
    }

    async fn list_users(&self, after: &str, limit: i64) -> Result<Vec<UserRecord>, StoreError> {
        self.select_users(after, limit).await
    }

    async fn list_deletions(&self, after: DuePlace<'_>, limit: i64) -> Result<Vec<DueDeletion>, StoreError> {
        self.select_deletions(after, limit).await
    }

    async fn audit_key(&self, candidate: &str) -> Result<String, StoreError> {
        self.insert_audit_key(candidate).await
    }

    async fn resource(&self) -> Result<Option<ResourceId>, StoreError> {
        self.find_resource().await
    }

    async fn record_resource(&self, resource: &ResourceId, endpoint: &str) -> Result<ResourceId, StoreError> {
        self.insert_resource(resource, endpoint).await
    }

    async fn resource_of_endpoint(&self, endpoint: &str) -> Result<Option<ResourceId>, StoreError> {
        self.find_endpoint(endpoint).await
    }

    async fn move_resource(&self, to: &ResourceId) -> Result<Vec<(String, String)>, StoreError> {
        self.replace_resource(to).await
    }

    async fn forget_tokens(&self) -> Result<u64, StoreError> {
        self.delete_all_tokens().await
    }

    async fn rename_users(
        &self,
        from: &str,
        to: &str,
        replace: bool,
        now: OffsetDateTime,
    ) -> Result<Renamed, StoreError> {
        self.replace_beginning(from, to, replace, now).await
    }

    async fn listen(&self, on_change: &(dyn for<'c> Fn(Change<'c>) + Send + Sync)) -> Result<(), StoreError> {
        match &self.listener {
            Some(listener) => listener.run(on_change).await,
            None => pending().await,
        }
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// Bounds the time of an operation. The error names the operation.
pub(super) async fn with_timeout<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match timeout(OPERATION_TIMEOUT, work).await {
        Ok(outcome) => outcome.map_err(|error| StoreError::from_operation(operation, error)),
        Err(_) => Err(StoreError::new(
            operation,
            StoreErrorKind::Unavailable,
            format!(
                "the database did not answer within {} seconds",
                OPERATION_TIMEOUT.as_secs()
            ),
        )
        .with_unknown_outcome()),
    }
}

fn checked_identity<'a>(
    operation: &'static str,
    identity: &'a CommunicationUserIdentifier,
) -> Result<&'a str, StoreError> {
    checked(operation, "the identity", identity.as_str())
}

fn checked_scopes<'a>(operation: &'static str, scopes: &'a str) -> Result<&'a str, StoreError> {
    checked(operation, "the list of scopes", scopes)
}

/// Checks that both databases can store a text unchanged.
fn checked<'a>(operation: &'static str, name: &str, text: &'a str) -> Result<&'a str, StoreError> {
    if text.len() > MAX_TEXT_BYTES || text.contains('\0') {
        return Err(StoreError::new(
            operation,
            StoreErrorKind::InvalidValue,
            format!("{name} has more than {MAX_TEXT_BYTES} bytes, or a NUL character"),
        ));
    }
    Ok(text)
}

/// Converts a time to its column: microseconds since 1970, rounded down.
pub(super) fn to_micros(time: OffsetDateTime) -> i64 {
    let micros = time.unix_timestamp_nanos().div_euclid(1000);
    i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
}

pub(super) fn parse_time(operation: &'static str, micros: i64) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
        .map_err(|_| StoreError::unreadable(operation, "a time"))
}

pub(super) fn parse_identity(
    operation: &'static str,
    identity: &str,
) -> Result<CommunicationUserIdentifier, StoreError> {
    identity
        .parse()
        .map_err(|_| StoreError::unreadable(operation, "an identity"))
}

fn parse_mapping(operation: &'static str, row: (String, i64)) -> Result<Mapping, StoreError> {
    let (identity, generation) = row;
    Ok(Mapping {
        identity: parse_identity(operation, &identity)?,
        generation,
    })
}
