//! The client seen from outside, against the double of the sidecar and against a transport that answers from a script.

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
