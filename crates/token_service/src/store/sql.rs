//! The operations in SQL, which is the same for SQLite and PostgreSQL.

use crate::{
    store::{
        Claim, Database, Granted, Mapping, SealedToken, StoreError, StoreErrorKind,
        values::{IDENTITY, SCOPES, USER, bounded, custom_id_of, identity_of, mapping_of, stored, time_of},
    },
    user::AppUser,
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

/// How long an operation may take, the wait for a connection included.
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

const ABANDON: &str = "DELETE FROM users WHERE user_id = $1 AND claimed_by = $2";

/// One that is retired twice was nobody's at first, and then somebody's.
const RETIRE: &str = "INSERT INTO retired (identity, user_id, retired_at) VALUES ($1, $2, $3) \
    ON CONFLICT (identity) DO UPDATE SET user_id = excluded.user_id, retired_at = excluded.retired_at";

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

    async fn find(&self, user: &AppUser) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "find a user's identity";
        let user = bounded(OPERATION, USER, user.as_str())?;
        let row = within(OPERATION, query_as(FIND).bind(user).fetch_optional(&self.pool)).await?;
        row.map(|row| mapping_of(OPERATION, row)).transpose()
    }

    async fn claim(
        &self,
        user: &AppUser,
        attempt: Uuid,
        now: OffsetDateTime,
        until: OffsetDateTime,
    ) -> Result<Claim, StoreError> {
        const OPERATION: &str = "claim the creation of a user's identity";
        const CLAIM: &str = "INSERT INTO users (user_id, custom_id, claimed_by, claimed_until, created_at) \
            VALUES ($1, $2, $3, $4, $5) \
            ON CONFLICT (user_id) DO UPDATE SET claimed_by = excluded.claimed_by, claimed_until = excluded.claimed_until \
            WHERE users.identity IS NULL AND (users.claimed_until <= $5 OR users.claimed_by = $3) \
            RETURNING custom_id";
        let user = bounded(OPERATION, USER, user.as_str())?;
        let new = Uuid::new_v4().to_string();
        let claimed = async {
            let claim = query_as::<_, (String,)>(CLAIM)
                .bind(user)
                .bind(new.as_str())
                .bind(attempt.to_string())
                .bind(stored(until))
                .bind(stored(now));
            match claim.fetch_optional(&self.pool).await? {
                Some((custom_id,)) => Ok((Some(custom_id), None)),
                // Whatever has become of the row since, it is not the caller's.
                None => Ok((None, query_as(FIND).bind(user).fetch_optional(&self.pool).await?)),
            }
        };
        match within(OPERATION, claimed).await? {
            (Some(custom_id), _) => Ok(Claim::Granted(Granted {
                custom_id: custom_id_of(OPERATION, &custom_id)?,
                taken_over: custom_id != new,
            })),
            (None, Some(row)) => Ok(Claim::Mapped(mapping_of(OPERATION, row)?)),
            (None, None) => Ok(Claim::Taken),
        }
    }

    async fn settle(
        &self,
        user: &AppUser,
        attempt: Uuid,
        identity: &CommunicationUserIdentifier,
        now: OffsetDateTime,
    ) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "store a user's identity";
        const SETTLE: &str = "UPDATE users SET identity = $3, claimed_by = NULL, claimed_until = NULL \
            WHERE user_id = $1 AND claimed_by = $2 AND removed_at IS NULL RETURNING identity, generation";
        let user = bounded(OPERATION, USER, user.as_str())?;
        let created = bounded(OPERATION, IDENTITY, identity.as_str())?;
        let settled = async {
            let settle = query_as(SETTLE).bind(user).bind(attempt.to_string()).bind(created);
            let settled: Option<(String, i64)> = settle.fetch_optional(&self.pool).await?;
            if settled.is_some() {
                return Ok(settled);
            }
            let mut transaction = self.begin().await?;
            let other: Option<(String, i64)> = query_as(FIND).bind(user).fetch_optional(&mut *transaction).await?;
            let mapped = other.filter(|(identity, _)| identity == created);
            if mapped.is_none() {
                let finish = query(ABANDON).bind(user).bind(attempt.to_string());
                finish.execute(&mut *transaction).await?;
                let retire = query(RETIRE).bind(created).bind(None::<&str>).bind(stored(now));
                retire.execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(mapped)
        };
        let row = within(OPERATION, settled).await?;
        row.map(|row| mapping_of(OPERATION, row)).transpose()
    }

    async fn abandon(&self, user: &AppUser, attempt: Uuid) -> Result<(), StoreError> {
        const OPERATION: &str = "give up a claim";
        let user = bounded(OPERATION, USER, user.as_str())?;
        let abandon = query(ABANDON).bind(user).bind(attempt.to_string());
        within(OPERATION, abandon.execute(&self.pool)).await?;
        Ok(())
    }

    async fn hand_back(&self, user: &AppUser, attempt: Uuid, now: OffsetDateTime) -> Result<(), StoreError> {
        const OPERATION: &str = "hand a claim back";
        const HAND_BACK: &str = "UPDATE users SET claimed_until = $3 WHERE user_id = $1 AND claimed_by = $2";
        let user = bounded(OPERATION, USER, user.as_str())?;
        let hand_back = query(HAND_BACK).bind(user).bind(attempt.to_string()).bind(stored(now));
        within(OPERATION, hand_back.execute(&self.pool)).await?;
        Ok(())
    }

    async fn unfinished(&self, now: OffsetDateTime, limit: i64) -> Result<Vec<AppUser>, StoreError> {
        const OPERATION: &str = "list the creations that were not finished";
        const UNFINISHED: &str = "SELECT user_id FROM users \
            WHERE identity IS NULL AND claimed_until <= $1 ORDER BY claimed_until, user_id LIMIT $2";
        let unfinished = query_scalar::<_, String>(UNFINISHED).bind(stored(now)).bind(limit);
        let users = within(OPERATION, unfinished.fetch_all(&self.pool)).await?;
        Ok(users.into_iter().map(AppUser::stored).collect())
    }

    async fn forget_tokens(&self, user: &AppUser) -> Result<Option<Mapping>, StoreError> {
        const OPERATION: &str = "forget a user's tokens";
        const NEXT_GENERATION: &str = "UPDATE users SET generation = generation + 1 \
            WHERE user_id = $1 AND identity IS NOT NULL RETURNING identity, generation";
        const FORGET: &str = "DELETE FROM tokens WHERE user_id = $1";
        let user = bounded(OPERATION, USER, user.as_str())?;
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

    async fn retire(&self, user: &AppUser, now: OffsetDateTime) -> Result<(), StoreError> {
        const OPERATION: &str = "remove a user";
        const REMOVE: &str = "DELETE FROM users WHERE user_id = $1 AND identity IS NOT NULL RETURNING identity";
        const REMOVE_UNFINISHED: &str = "UPDATE users SET removed_at = $2 WHERE user_id = $1 AND identity IS NULL";
        let user = bounded(OPERATION, USER, user.as_str())?;
        let retired = async {
            let mut transaction = self.begin().await?;
            let unfinished = query(REMOVE_UNFINISHED).bind(user).bind(stored(now));
            unfinished.execute(&mut *transaction).await?;
            let removed = query_scalar::<_, String>(REMOVE).bind(user);
            if let Some(identity) = removed.fetch_optional(&mut *transaction).await? {
                let retire = query(RETIRE).bind(identity).bind(Some(user)).bind(stored(now));
                retire.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        within(OPERATION, retired).await
    }

    async fn retired(
        &self,
        user: Option<&AppUser>,
        before: OffsetDateTime,
        limit: i64,
    ) -> Result<Vec<CommunicationUserIdentifier>, StoreError> {
        const OPERATION: &str = "list the identities to be deleted";
        // One that was stored after all, by whoever took its claim over, is somebody's.
        const OF_ALL: &str = "SELECT identity FROM retired WHERE retired_at <= $1 \
            AND NOT EXISTS (SELECT 1 FROM users WHERE users.identity = retired.identity) \
            ORDER BY retired_at, identity LIMIT $2";
        const OF_USER: &str = "SELECT identity FROM retired WHERE retired_at <= $1 AND user_id = $3 \
            AND NOT EXISTS (SELECT 1 FROM users WHERE users.identity = retired.identity) \
            ORDER BY retired_at, identity LIMIT $2";
        let user = user.map(|user| bounded(OPERATION, USER, user.as_str())).transpose()?;
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

    async fn token(&self, user: &AppUser, scopes: &str, mapping: &Mapping) -> Result<Option<SealedToken>, StoreError> {
        const OPERATION: &str = "find a stored token";
        const TOKEN: &str = "SELECT sealed, expires_on FROM tokens \
            WHERE user_id = $1 AND scopes = $2 AND identity = $3 AND generation = $4";
        let token = query_as::<_, (Vec<u8>, i64)>(TOKEN)
            .bind(bounded(OPERATION, USER, user.as_str())?)
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
        user: &AppUser,
        scopes: &str,
        mapping: &Mapping,
        token: &SealedToken,
    ) -> Result<(), StoreError> {
        const OPERATION: &str = "store a token";
        // Should tokens be forgotten meanwhile, the row is of a generation that nobody asks for.
        const PUT: &str = "INSERT INTO tokens (user_id, scopes, identity, generation, sealed, expires_on) \
            SELECT user_id, $2, identity, generation, $5, $6 FROM users \
            WHERE user_id = $1 AND identity = $3 AND generation = $4 \
            ON CONFLICT (user_id, scopes) DO UPDATE SET identity = excluded.identity, \
            generation = excluded.generation, sealed = excluded.sealed, expires_on = excluded.expires_on";
        let put = query(PUT)
            .bind(bounded(OPERATION, USER, user.as_str())?)
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
