//! The parts that the clients of this workspace share and that no library has: calls over azure_core's pipeline, bounded in
//! time and length and retried only where that is safe; single flights; unverified claims; loopback hosts.
//!
//! An internal crate: its API changes with the crates that use it.

#[cfg(feature = "azure")]
pub mod call;
#[cfg(feature = "azure")]
pub mod clock;
pub mod error;
#[cfg(feature = "azure")]
pub mod headers;
pub mod host;
pub mod json;
pub mod jwt;
#[cfg(feature = "azure")]
pub mod runtime;
#[cfg(feature = "azure")]
pub mod single_flight;
