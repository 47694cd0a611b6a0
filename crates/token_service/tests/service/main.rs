//! Tests of the service with real requests, and the emulator in the place of Azure Communication Services.
#![cfg(test)]

mod admin;
mod api;
mod callers;
mod concurrency;
mod creation;
mod deletion;
mod front_ends;
mod metrics;
mod operations;
mod replicas;
mod resources;
mod setup;
#[path = "../support/mod.rs"]
mod support;
mod teams;
mod teams_phone;
mod tokens;
mod trace;
mod user_ids;
