//! Faults on the way to the service and back: every fault meets every operation, and the outcome is the documented one.
//!
//! A table of faults is an array of rows. [`rule::Rule`] is the documented consequence of a fault, and so the expectation of
//! a row. [`harness`] runs a table on each back end that can inject its faults: a transport without a network, a raw server,
//! and the emulator. [`table`] has the faults that all of them can inject; the other tables need a real connection, or more
//! than one call. [`counts`] counts the rows.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod back_ends;
mod clock;
mod connections;
mod counts;
mod default_transport;
mod dropped;
mod fault;
mod harness;
mod keep_alive;
mod kinds;
mod recorder;
mod redaction;
mod redirects;
mod reply;
mod request;
mod responses;
mod restart;
mod rotation;
mod rule;
mod silence;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod unreached;
mod waits;

use std::time::Duration;

/// Waits for a future that takes this long only if it hangs.
async fn bounded<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(120), Box::pin(future))
        .await
        .unwrap_or_else(|_| panic!("it hangs"))
}
