//! Tests of the service with real requests, and the emulator in the place of Azure Communication Services.
#![cfg(test)]

mod admin;
mod api;
mod callers;
mod concurrency;
mod creation;
mod deletion;
mod front_ends;
mod operations;
mod replicas;
mod resources;
mod setup;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;
mod teams;
mod tokens;
mod user_ids;
