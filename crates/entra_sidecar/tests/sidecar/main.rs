//! The client from outside, with the fake sidecar and with a scripted transport.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[cfg(target_os = "linux")]
mod certificates;
mod challenges;
#[path = "../../../../tests/support/child.rs"]
mod child;
mod credentials;
mod downstream;
mod emulator;
mod environment;
mod errors;
#[path = "../../../../tests/support/fake_service.rs"]
mod fake_service;
#[path = "../../../../tests/support/log.rs"]
mod log;
mod policies;
mod readme;
mod redaction;
mod requests;
mod retries;
#[path = "../../../../tests/support/retries.rs"]
mod retry_policy;
#[path = "../../../../tests/support/secrets.rs"]
mod secrets;
mod setup;
#[cfg(any(feature = "actix", feature = "axum"))]
mod web;
