//! The emulator seen from outside: over real sockets, with requests signed by another implementation than its own, and
//! answers compared with what the real service was recorded to say.
#![cfg(test)]

mod authentication;
#[cfg(feature = "cli")]
mod binary;
mod client;
mod control;
mod https;
mod identities;
mod lifecycle;
mod properties;
mod quirks;
mod recordings;
mod redaction;
mod signature;
mod signer;
mod teams;
mod tokens;
mod wire;
