//! Connections of a pool, each leased to one operation.

use sqlx::{Connection, Database, Pool, SqlSafeStr as _, Transaction, pool::PoolConnection};
use std::{
    ops::{Deref, DerefMut},
    time::Duration,
};
use tokio::{runtime::Handle, time::timeout};

/// The limit for the check of a connection that goes back to its pool.
const RETURN_TIMEOUT: Duration = Duration::from_secs(2);

/// The connection of one operation.
///
/// The connection of an interrupted operation is closed. Without that, it would go back to the pool, which waits for an
/// answer first, and a server that is gone never gives one.
#[derive(Debug)]
pub struct Lease<DB: Database> {
    /// Present until the lease ends.
    connection: Option<PoolConnection<DB>>,
    closes_interrupted: bool,
}

/// A statement on its own, or a transaction.
#[derive(Debug)]
pub enum Work<'c, DB: Database> {
    /// The connection, for one statement.
    Statement(&'c mut DB::Connection),
    /// A transaction, which is rolled back unless it is committed.
    Transaction(Transaction<'c, DB>),
}

impl<DB: Database> Lease<DB> {
    /// Waits for a connection. `closes_interrupted` is off for SQLite, where a database in memory ends with its connection.
    ///
    /// # Errors
    ///
    /// Those of the pool.
    pub async fn acquire(pool: &Pool<DB>, closes_interrupted: bool) -> Result<Self, sqlx::Error> {
        Ok(Self {
            connection: Some(pool.acquire().await?),
            closes_interrupted,
        })
    }

    /// Begins to work without a transaction.
    ///
    /// # Errors
    ///
    /// None while the lease lasts.
    pub fn statement(&mut self) -> Result<Work<'_, DB>, sqlx::Error> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        Ok(Work::Statement(&mut **connection))
    }

    /// Begins a transaction with this statement.
    ///
    /// # Errors
    ///
    /// If the database refuses it.
    pub async fn transaction(&mut self, begin: &'static str) -> Result<Work<'_, DB>, sqlx::Error> {
        let connection = self.connection.as_mut().ok_or(sqlx::Error::PoolClosed)?;
        Ok(Work::Transaction(connection.begin_with(begin.into_sql_str()).await?))
    }

    /// Gives the connection of a finished operation back.
    pub fn finish(mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        // As `drop` does, but within a limit: the server can fall silent at this moment, too.
        if let (true, Ok(runtime)) = (self.closes_interrupted, Handle::try_current()) {
            runtime.spawn(timeout(RETURN_TIMEOUT, connection.return_to_pool()));
        }
    }
}

impl<DB: Database> Work<'_, DB> {
    /// Ends the work, and commits it if it is a transaction.
    ///
    /// # Errors
    ///
    /// If the database refuses the commit, or the connection is lost.
    pub async fn commit(self) -> Result<(), sqlx::Error> {
        match self {
            Self::Statement(_) => Ok(()),
            Self::Transaction(transaction) => transaction.commit().await,
        }
    }
}

impl<DB: Database> Drop for Lease<DB> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && self.closes_interrupted
        {
            drop(connection.detach());
        }
    }
}

impl<DB: Database> Deref for Work<'_, DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::Statement(connection) => connection,
            Self::Transaction(transaction) => transaction,
        }
    }
}

impl<DB: Database> DerefMut for Work<'_, DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        match self {
            Self::Statement(connection) => connection,
            Self::Transaction(transaction) => transaction,
        }
    }
}
