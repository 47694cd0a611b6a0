//! The operations in SQL, which is the same for SQLite and PostgreSQL.

use crate::{
    store::{
        Claim, Database, Mapping, SealedToken, StoreError, StoreErrorKind,
        values::{IDENTITY, SCOPES, bounded, identity_of, mapping_of, stored, time_of},
    },
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

/// The time that an operation has, with the wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// A database behind its connections.
#[derive(Debug)]
pub(super) struct SqlDatabase<DB: sqlx::Database> {
    pool: Pool<DB>,
    begin: &'static str,
}

impl<DB: sqlx::Database> SqlDatabase<DB> {
    /// `begin` is the statement that starts a transaction which is going to write.
    pub(super) fn new(pool: Pool<DB>, begin: &'static str) -> Self {
        Self { pool, begin }
    }

    pub(super) async fn begin(&self) -> Result<Transaction<'static, DB>, sqlx::Error> {
        self.pool.begin_with(self.begin).await
    }
}

/// Bounds the time of an operation and says which one failed.
async fn within<T>(
    operation: &'static str,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreError> {
    match timeout(PATIENCE, work).await {
        Ok(outcome) => outcome.map_err(|error| StoreError::of_operation(operation, error)),
        Err(_) => Err(StoreError::new(
            operation,
            StoreErrorKind::Unavailable,
            format!("the database did not answer within {} seconds", PATIENCE.as_secs()),
        )),
    }
}

const FIND: &str = "SELECT identity, generation FROM users WHERE user_id = $1 AND identity IS NOT NULL";

/// It changes nothing when it is repeated because its answer was lost.
const RETIRE: &str = "INSERT INTO retired (identity, user_id, retired_at) VALUES ($1, $2, $3) \
    ON CONFLICT (identity) DO NOTHING";

const BURY: &str = "DELETE FROM retired WHERE identity = $1";

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
        within("reach its database", query("SELECT 1").execute(&self.pool)).await?;
        Ok(())
    }

    async fn find(&self, user: &UserId) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "find a user's identity";
        let user = user.as_str();
        let row = within(OPERATION, query_as(FIND).bind(user).fetch_optional(&self.pool)).await?;
        row.map(|row| mapping_of(OPERATION, row)).transpose()
    }

    async fn claim(
        &self,
        user: &UserId,
        attempt: Uuid,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Claim, StoreError> {
        const OPERATION: &str = "claim the creation of a user's identity";
        // The row of a claim that is taken over keeps the time at which it was created.
        const CLAIM: &str = "INSERT INTO users (user_id, claimed_by, claimed_until, created_at) \
            VALUES ($1, $2, $3, $4) \
            ON CONFLICT (user_id) DO UPDATE SET claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until \
            WHERE users.identity IS NULL AND users.claimed_until <= $4 \
            RETURNING created_at";
        let user = user.as_str();
        let now = stored(now);
        let claimed = async {
            let claim = query_scalar::<_, i64>(CLAIM)
                .bind(user)
                .bind(attempt.to_string())
                .bind(stored(until))
                .bind(now);
            match claim.fetch_optional(&self.pool).await? {
                Some(created_at) => Ok((Some(created_at), None)),
                // The row may have changed since, but is not the caller's.
                None => Ok((None, query_as(FIND).bind(user).fetch_optional(&self.pool).await?)),
            }
        };
        match within(OPERATION, claimed).await? {
            (Some(created_at), _) => Ok(Claim::Granted {
                taken_over: created_at != now,
            }),
            (None, Some(row)) => Ok(Claim::Mapped(mapping_of(OPERATION, row)?)),
            (None, None) => Ok(Claim::Taken),
        }
    }

    async fn complete(
        &self,
        user: &UserId,
        attempt: Uuid,
        identity: &CommunicationUserIdentifier,
        now: OffsetDateTime,
    ) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "store a user's identity";
        const COMPLETE: &str = "UPDATE users SET identity = $3, claimed_by = NULL, claimed_until = NULL \
            WHERE user_id = $1 AND claimed_by = $2 RETURNING identity, generation";
        let user = user.as_str();
        let created = bounded(OPERATION, IDENTITY, identity.as_str())?;
        let completed = async {
            let complete = query_as(COMPLETE).bind(user).bind(attempt.to_string()).bind(created);
            let completed: Option<(String, i64)> = complete.fetch_optional(&self.pool).await?;
            if completed.is_some() {
                return Ok(completed);
            }
            let mut transaction = self.begin().await?;
            let other: Option<(String, i64)> = query_as(FIND).bind(user).fetch_optional(&mut *transaction).await?;
            let mapped = other.filter(|(identity, _)| identity == created);
            if mapped.is_none() {
                let retire = query(RETIRE).bind(created).bind(None::<&str>).bind(stored(now));
                retire.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(mapped)
        };
        let row = within(OPERATION, completed).await?;
        row.map(|row| mapping_of(OPERATION, row)).transpose()
    }

    async fn release(&self, user: &UserId, attempt: Uuid) -> Result<bool, StoreError> {
        const OPERATION: &str = "release a claim";
        const RELEASE: &str = "DELETE FROM users WHERE user_id = $1 AND claimed_by = $2 RETURNING created_at";
        let user = user.as_str();
        let release = query_scalar::<_, i64>(RELEASE).bind(user).bind(attempt.to_string());
        let released = within(OPERATION, release.fetch_optional(&self.pool)).await?;
        Ok(released.is_some())
    }

    async fn release_ended(&self, now: OffsetDateTime) -> Result<u64, StoreError> {
        const OPERATION: &str = "release the claims that ended";
        const RELEASE_ENDED: &str =
            "DELETE FROM users WHERE identity IS NULL AND claimed_until <= $1 RETURNING created_at";
        let release = query_scalar::<_, i64>(RELEASE_ENDED).bind(stored(now));
        let released = within(OPERATION, release.fetch_all(&self.pool)).await?;
        Ok(released.len() as u64)
    }

    async fn forget_tokens(&self, user: &UserId) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "forget a user's tokens";
        const NEXT_GENERATION: &str = "UPDATE users SET generation = generation + 1 \
            WHERE user_id = $1 AND identity IS NOT NULL RETURNING identity, generation";
        const FORGET: &str = "DELETE FROM tokens WHERE user_id = $1";
        let user = user.as_str();
        let forgotten = async {
            let mut transaction = self.begin().await?;
            let mapped = query_as(NEXT_GENERATION)
                .bind(user)
                .fetch_optional(&mut *transaction)
                .await?;
            query(FORGET).bind(user).execute(&mut *transaction).await?;
            transaction.commit().await?;
            Ok(mapped)
        };
        let row = within(OPERATION, forgotten).await?;
        row.map(|row| mapping_of(OPERATION, row)).transpose()
    }

    async fn retire(&self, user: &UserId, now: OffsetDateTime) -> Result<bool, StoreError> {
        const OPERATION: &str = "remove a user";
        const REMOVE: &str = "DELETE FROM users WHERE user_id = $1 RETURNING identity";
        let user = user.as_str();
        let retired = async {
            let mut transaction = self.begin().await?;
            let remove = query_scalar::<_, Option<String>>(REMOVE).bind(user);
            let removed = remove.fetch_optional(&mut *transaction).await?;
            if let Some(Some(identity)) = &removed {
                let retire = query(RETIRE).bind(identity).bind(Some(user)).bind(stored(now));
                retire.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(removed == Some(None))
        };
        within(OPERATION, retired).await
    }

    async fn retired(
        &self,
        user: Option<&UserId>,
        before: OffsetDateTime,
        limit: i64,
    ) -> Result<Vec<CommunicationUserIdentifier>, StoreError> {
        const OPERATION: &str = "list the identities to be deleted";
        const OF_ALL: &str = "SELECT identity FROM retired WHERE retired_at <= $1 \
            ORDER BY retired_at, identity LIMIT $2";
        const OF_USER: &str = "SELECT identity FROM retired WHERE retired_at <= $1 AND user_id = $3 \
            ORDER BY retired_at, identity LIMIT $2";
        let user = user.map(UserId::as_str);
        let retired = query_as::<_, (String,)>(if user.is_some() { OF_USER } else { OF_ALL });
        let retired = retired.bind(stored(before)).bind(limit);
        let retired = match user {
            Some(user) => retired.bind(user),
            None => retired,
        };
        let rows = within(OPERATION, retired.fetch_all(&self.pool)).await?;
        let read = |(identity,): (String,)| identity_of(OPERATION, &identity);
        rows.into_iter().map(read).collect()
    }

    async fn postpone(&self, identity: &CommunicationUserIdentifier, now: OffsetDateTime) -> Result<(), StoreError> {
        const OPERATION: &str = "postpone the deletion of an identity";
        const POSTPONE: &str = "UPDATE retired SET retired_at = $2 WHERE identity = $1";
        let identity = bounded(OPERATION, IDENTITY, identity.as_str())?;
        within(
            OPERATION,
            query(POSTPONE).bind(identity).bind(stored(now)).execute(&self.pool),
        )
        .await?;
        Ok(())
    }

    async fn bury(&self, identity: &CommunicationUserIdentifier) -> Result<(), StoreError> {
        const OPERATION: &str = "forget a deleted identity";
        let identity = bounded(OPERATION, IDENTITY, identity.as_str())?;
        within(OPERATION, query(BURY).bind(identity).execute(&self.pool)).await?;
        Ok(())
    }

    async fn token(&self, user: &UserId, scopes: &str, mapping: &Mapping) -> Result<Option<SealedToken>, StoreError> {
        const OPERATION: &str = "find a stored token";
        const TOKEN: &str = "SELECT sealed, expires_on FROM tokens \
            WHERE user_id = $1 AND scopes = $2 AND identity = $3 AND generation = $4";
        let token = query_as::<_, (Vec<u8>, i64)>(TOKEN)
            .bind(user.as_str())
            .bind(bounded(OPERATION, SCOPES, scopes)?)
            .bind(bounded(OPERATION, IDENTITY, mapping.identity.as_str())?)
            .bind(mapping.generation);
        let row = within(OPERATION, token.fetch_optional(&self.pool)).await?;
        let read = |(sealed, expires_on)| {
            Ok(SealedToken {
                sealed,
                expires_on: time_of(OPERATION, expires_on)?,
            })
        };
        row.map(read).transpose()
    }

    async fn put_token(
        &self,
        user: &UserId,
        scopes: &str,
        mapping: &Mapping,
        token: &SealedToken,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "store a token";
        // If tokens are forgotten meanwhile, the row is of a generation that is never read.
        const PUT: &str = "INSERT INTO tokens (user_id, scopes, identity, generation, sealed, expires_on) \
            SELECT user_id, $2, identity, generation, $5, $6 FROM users \
            WHERE user_id = $1 AND identity = $3 AND generation = $4 \
            ON CONFLICT (user_id, scopes) DO UPDATE SET identity = excluded.identity, \
            generation = excluded.generation, sealed = excluded.sealed, expires_on = excluded.expires_on";
        let put = query(PUT)
            .bind(user.as_str())
            .bind(bounded(OPERATION, SCOPES, scopes)?)
            .bind(bounded(OPERATION, IDENTITY, mapping.identity.as_str())?)
            .bind(mapping.generation)
            .bind(token.sealed.as_slice())
            .bind(stored(token.expires_on));
        let put = async {
            match put.execute(&self.pool).await {
                // The user was removed meanwhile, and the mapping with them.
                Err(sqlx::Error::Database(error)) if error.is_foreign_key_violation() => Ok(()),
                outcome => outcome.map(drop),
            }
        };
        within(OPERATION, put).await
    }

    async fn forget_expired(&self, now: OffsetDateTime) -> Result<(), StoreError> {
        const OPERATION: &str = "forget expired tokens";
        let forget = query("DELETE FROM tokens WHERE expires_on <= $1").bind(stored(now));
        within(OPERATION, forget.execute(&self.pool)).await?;
        Ok(())
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
