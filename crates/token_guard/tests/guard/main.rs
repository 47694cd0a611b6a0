//! The guard seen from outside: tokens over a real socket, from an issuer in the test.
#![cfg(test)]

mod attacks;
mod configuration;
mod entra;
mod forge;
mod frameworks;
mod key_cache;
mod key_fetch;
#[path = "../../../../tests/support/log.rs"]
mod log;
mod permissions;
#[path = "../../../../tests/support/secrets.rs"]
mod secret_fragments;
mod secrets;
mod server;
mod setup;
