//! Tests of the service's log. They have their own process, as the subscriber of one thread misses events whose callsites
//! another thread has registered first.
#![cfg(test)]

mod audit;
mod database;
mod secrets;
#[path = "../service/setup.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod setup;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;
