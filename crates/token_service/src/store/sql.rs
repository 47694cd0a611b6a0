//! The operations in SQL, which is the same for SQLite and PostgreSQL.
//!
//! The table `users` has a row for each user with an identity or a claim, and `retired` one for each deletion that is due.

use crate::{
    store::{Claim, Database, Mapping, SealedToken, StoreError, StoreErrorKind},
    user::UserId,
};
use async_trait::async_trait;
use azure_communication_identity::CommunicationUserIdentifier;
use sqlx::{
    ColumnIndex, Decode, Encode, Executor, IntoArguments, Pool, Transaction, Type, query, query_as, query_scalar,
};
use std::{future::Future, time::Duration};
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
    begin: &'static str,
}

impl<DB: sqlx::Database> SqlDatabase<DB> {
    /// Wraps a pool. `begin` is the statement that starts a transaction with writes.
    pub(super) fn new(pool: Pool<DB>, begin: &'static str) -> Self {
        Self { pool, begin }
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, DB>, sqlx::Error> {
        self.pool.begin_with(self.begin).await
    }
}

#[async_trait]
impl<DB> Database for SqlDatabase<DB>
where
    DB: sqlx::Database,
    DB::Arguments: IntoArguments<DB>,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
    for<'v> &'v str: Encode<'v, DB> + Type<DB>,
    for<'v> Option<&'v str>: Encode<'v, DB> + Type<DB>,
    for<'v> &'v [u8]: Encode<'v, DB> + Type<DB>,
    for<'v> String: Encode<'v, DB> + Decode<'v, DB> + Type<DB>,
    for<'v> Vec<u8>: Decode<'v, DB> + Type<DB>,
    for<'v> i64: Encode<'v, DB> + Decode<'v, DB> + Type<DB>,
    usize: ColumnIndex<DB::Row>,
{
    async fn ping(&self) -> Result<(), StoreError> {
        with_timeout("reach its database", query("SELECT 1").execute(&self.pool)).await?;
        Ok(())
    }

    async fn find(&self, user: &UserId) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "find a user's identity";
        let find = query_as(FIND).bind(user.as_str());
        let row = with_timeout(OPERATION, find.fetch_optional(&self.pool)).await?;
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
            WHERE users.identity IS NULL AND users.claimed_until <= $4 \
            RETURNING created_at";
        let now = to_micros(now);
        let claimed = async {
            let claim = query_scalar::<_, i64>(CLAIM)
                .bind(user.as_str())
                .bind(holder.to_string())
                .bind(to_micros(until))
                .bind(now);
            if let Some(created_at) = claim.fetch_optional(&self.pool).await? {
                return Ok((Some(created_at), None));
            }
            // The row can have changed since, but the claim is not the holder's.
            let find = query_as(FIND).bind(user.as_str());
            Ok((None, find.fetch_optional(&self.pool).await?))
        };
        match with_timeout(OPERATION, claimed).await? {
            (Some(created_at), _) => Ok(Claim::Granted {
                taken_over: created_at != now,
            }),
            (None, Some(row)) => Ok(Claim::Completed(parse_mapping(OPERATION, row)?)),
            (None, None) => Ok(Claim::Held),
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
        let completed = async {
            let complete = query_as(COMPLETE).bind(user).bind(holder.to_string()).bind(created);
            let completed: Option<(String, i64)> = complete.fetch_optional(&self.pool).await?;
            if completed.is_some() {
                return Ok(completed);
            }
            let mut transaction = self.begin().await?;
            let found: Option<(String, i64)> = query_as(FIND).bind(user).fetch_optional(&mut *transaction).await?;
            let repeated = found.filter(|(identity, _)| identity == created);
            if repeated.is_none() {
                let delete = query(INSERT_DELETION).bind(created);
                let delete = delete.bind(None::<&str>).bind(to_micros(now));
                delete.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(repeated)
        };
        let row = with_timeout(OPERATION, completed).await?;
        row.map(|row| parse_mapping(OPERATION, row)).transpose()
    }

    async fn release(&self, user: &UserId, holder: Uuid) -> Result<bool, StoreError> {
        const RELEASE: &str = "DELETE FROM users WHERE user_id = $1 AND claimed_by = $2 RETURNING created_at";
        let release = query_scalar::<_, i64>(RELEASE);
        let release = release.bind(user.as_str()).bind(holder.to_string());
        let released = with_timeout("release a claim", release.fetch_optional(&self.pool)).await?;
        Ok(released.is_some())
    }

    async fn release_expired(&self, now: OffsetDateTime) -> Result<u64, StoreError> {
        const RELEASE: &str = "DELETE FROM users WHERE identity IS NULL AND claimed_until <= $1 RETURNING created_at";
        let release = query_scalar::<_, i64>(RELEASE).bind(to_micros(now));
        let released = with_timeout("release expired claims", release.fetch_all(&self.pool)).await?;
        Ok(released.len() as u64)
    }

    async fn delete_user(&self, user: &UserId, now: OffsetDateTime) -> Result<bool, StoreError> {
        const DELETE: &str = "DELETE FROM users WHERE user_id = $1 RETURNING identity";
        let user = user.as_str();
        let deleted = async {
            let mut transaction = self.begin().await?;
            let delete = query_scalar::<_, Option<String>>(DELETE).bind(user);
            let deleted = delete.fetch_optional(&mut *transaction).await?;
            if let Some(Some(identity)) = &deleted {
                let delete = query(INSERT_DELETION).bind(identity);
                let delete = delete.bind(Some(user)).bind(to_micros(now));
                delete.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
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
        let due = query_scalar::<_, String>(if user.is_some() { OF_USER } else { OF_ALL });
        let due = due.bind(to_micros(now)).bind(limit);
        let due = match user {
            Some(user) => due.bind(user.as_str()),
            None => due,
        };
        let identities = with_timeout(OPERATION, due.fetch_all(&self.pool)).await?;
        let parse = |identity: &String| parse_identity(OPERATION, identity);
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
        with_timeout(OPERATION, postpone.execute(&self.pool)).await?;
        Ok(())
    }

    async fn complete_deletion(&self, identity: &CommunicationUserIdentifier) -> Result<(), StoreError> {
        const OPERATION: &str = "complete the deletion of an identity";
        let complete = query("DELETE FROM retired WHERE identity = $1");
        let complete = complete.bind(checked_identity(OPERATION, identity)?);
        with_timeout(OPERATION, complete.execute(&self.pool)).await?;
        Ok(())
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
        let row = with_timeout(OPERATION, token.fetch_optional(&self.pool)).await?;
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
            match put.execute(&self.pool).await {
                // The user was deleted meanwhile, and the mapping with them.
                Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Ok(()),
                outcome => outcome.map(drop),
            }
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
            let mut transaction = self.begin().await?;
            let next = query_as(NEXT_GENERATION).bind(user);
            let mapping = next.fetch_optional(&mut *transaction).await?;
            query(DELETE).bind(user).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(mapping)
        };
        let row = with_timeout(OPERATION, deleted).await?;
        row.map(|row| parse_mapping(OPERATION, row)).transpose()
    }

    async fn delete_expired_tokens(&self, now: OffsetDateTime) -> Result<(), StoreError> {
        let delete = query("DELETE FROM tokens WHERE expires_on <= $1").bind(to_micros(now));
        with_timeout("delete expired tokens", delete.execute(&self.pool)).await?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}

/// Bounds the time of an operation. The error names the operation.
async fn with_timeout<T>(
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
        )),
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
fn to_micros(time: OffsetDateTime) -> i64 {
    let micros = time.unix_timestamp_nanos().div_euclid(1000);
    i64::try_from(micros).unwrap_or(if micros < 0 { i64::MIN } else { i64::MAX })
}

fn parse_time(operation: &'static str, micros: i64) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1000)
        .map_err(|_| StoreError::unreadable(operation, "a time"))
}

fn parse_identity(operation: &'static str, identity: &str) -> Result<CommunicationUserIdentifier, StoreError> {
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
