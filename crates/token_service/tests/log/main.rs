//! What the service writes to its log: in a process of its own, as a subscriber of one thread misses what other threads were
//! the first to log.
#![cfg(test)]

mod secrets;
#[path = "../service/setup.rs"]
#[expect(dead_code, reason = "the other tests use the rest of it")]
mod setup;
