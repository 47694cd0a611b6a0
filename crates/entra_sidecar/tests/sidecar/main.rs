//! The client seen from outside, with the fake sidecar and with a scripted transport.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[cfg(target_os = "linux")]
mod certificates;
mod credentials;
mod downstream;
mod emulator;
mod errors;
mod redaction;
mod requests;
mod retries;
mod script;
mod setup;
#[cfg(any(feature = "actix", feature = "axum"))]
mod web;
