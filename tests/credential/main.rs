//! Token credentials, seen from outside. The times of refreshes are tested beside the code, where the clock can be moved.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod callers;
mod errors;
mod fixed;
mod for_user;
mod log;
#[path = "../support/mod.rs"]
mod support;

use azure_communication_identity::CommunicationAccessToken;
use azure_core::time::{Duration, OffsetDateTime};

/// Returns a token that expires in this many seconds.
fn token(name: &str, seconds: i64) -> CommunicationAccessToken {
    CommunicationAccessToken::new(name.to_owned(), OffsetDateTime::now_utc() + Duration::seconds(seconds))
}
