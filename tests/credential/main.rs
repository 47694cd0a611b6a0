//! What a token credential gives its callers, seen from outside. When it asks its source is shown beside the code, where
//! the clock can be moved.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod callers;
mod errors;
#[path = "../support/fake_service.rs"]
mod fake_service;
mod fixed;
mod for_user;
#[path = "../support/log.rs"]
mod kept_log;
mod log;

use azure_communication_identity::CommunicationAccessToken;
use azure_core::time::{Duration, OffsetDateTime};

/// A token that expires in so many seconds.
fn token(name: &str, seconds: i64) -> CommunicationAccessToken {
    CommunicationAccessToken::new(name.to_owned(), OffsetDateTime::now_utc() + Duration::seconds(seconds))
}
