//! The emulator from outside: over real sockets, with requests that another implementation signs, and responses
//! compared with recordings of the service.
#![cfg(test)]

mod authentication;
#[cfg(feature = "cli")]
mod bad_input;
#[cfg(feature = "cli")]
mod binary;
mod client;
mod control;
mod cross_origin;
#[cfg(feature = "persistence")]
mod data;
#[cfg(feature = "persistence")]
mod data_refusals;
mod entra_assignments;
mod entra_user;
mod explain;
mod explain_by_hand;
mod fault_control;
mod faults;
#[cfg(all(feature = "cli", unix))]
mod full_disk;
mod https;
mod identities;
#[cfg(feature = "cli")]
mod killed;
mod leniency;
mod lifecycle;
mod misplaced_key;
#[cfg(feature = "cli")]
mod process;
mod properties;
mod quirks;
#[cfg(feature = "cli")]
mod reach;
mod recordings;
mod redaction;
mod refusals;
mod settings;
mod signature;
mod signer;
mod state;
mod teams_extension;
mod teams_extension_assignments;
mod teams_user;
mod tokens;
mod user;
mod versions;
mod wire;
