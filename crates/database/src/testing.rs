//! Databases for tests.

use sqlx::{AssertSqlSafe, ConnectOptions, Executor, postgres::PgConnectOptions};
use std::error::Error;
use url::Url;
use uuid::Uuid;

/// Creates an empty database on a PostgreSQL server, and returns its URL.
///
/// # Errors
///
/// If the URL of the server cannot be parsed, or the server refuses.
pub async fn create_postgres(server: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
    let name = format!("test_{}", Uuid::new_v4().simple());
    let options: PgConnectOptions = server.parse()?;
    let mut connection = options.connect().await?;
    connection
        .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
        .await?;
    let mut url = Url::parse(server)?;
    url.set_path(&name);
    Ok(url.into())
}
