//! The databases of this workspace's programs: SQLite and PostgreSQL, with the same SQL.
//!
//! [`DatabaseUrl`] parses a URL, [`Connections`] opens and uses a database. No error shows a piece of a URL, a user's value or
//! a password.

mod connections;
mod database_url;
mod error;
mod lease;
mod open;
#[cfg(feature = "testing")]
pub mod testing;

pub use connections::{Connections, Migrations, with_timeout};
pub use database_url::{DatabaseUrl, PostgresUrl, SqliteUrl};
pub use error::{DatabaseError, DatabaseErrorKind};
pub use lease::{Lease, Work};
