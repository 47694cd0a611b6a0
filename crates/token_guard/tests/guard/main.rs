//! The guard seen from outside: tokens over a real socket, with an issuer of this crate's own.
#![cfg(test)]

mod attacks;
#[cfg(target_os = "linux")]
mod certificates;
mod configuration;
mod fetches;
mod forge;
mod frameworks;
mod issuers;
mod keys;
mod permissions;
mod secrets;
mod served;
mod setup;
