//! Nothing is lost under faults: every fault meets every operation, and the outcome is the documented one.
//!
//! A table of faults is an array of rows; its length says how many there are. [`rule::Rule`] says what README and rustdoc
//! promise of a fault, and so what to expect of a row. BENCHMARKS.md counts the tables, and [`counts`] checks it.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod answers;
mod asked;
mod clock;
mod connections;
mod counts;
mod default_transport;
mod dropped;
mod emulator;
mod hidden;
mod keep_alive;
mod kinds;
mod matrix;
mod redirects;
mod reply;
mod restart;
mod rotation;
mod rule;
mod silence;
#[path = "../support/mod.rs"]
mod support;
mod unreached;
mod wiretap;

use std::time::Duration;

/// Waits for what takes so long only when it hangs.
async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(120), Box::pin(future))
        .await
        .unwrap_or_else(|_| panic!("it hangs"))
}
