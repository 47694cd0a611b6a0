//! The guard seen from outside: tokens over a real socket, from an issuer in the test.
#![cfg(test)]

mod attacks;
#[cfg(target_os = "linux")]
#[path = "../../../../tests/support/child.rs"]
mod child;
mod configuration;
mod entra;
mod evidence;
mod forge;
mod frameworks;
mod issuers;
mod key_cache;
mod key_fetch;
#[path = "../../../../tests/support/log.rs"]
mod log;
mod permissions;
mod providers;
#[path = "../../../../tests/support/secrets.rs"]
mod secret_fragments;
mod secrets;
mod server;
mod setup;
mod tolerance;
mod webhooks;
