#![doc = include_str!("../README.md")]

mod auth;
mod builder;
mod clock;
mod control;
mod dates;
mod emulator;
mod error;
mod faults;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod help;
mod http;
mod identities;
mod json_object;
mod operation;
mod resource;
mod ring_buffer;
mod storage;
#[cfg(test)]
mod tests;
mod tokens;

pub use crate::http::{InvalidHost, UnknownVersion};
pub use auth::{AccessKeyKind, InvalidControlToken, signature};
pub use builder::EmulatorBuilder;
pub use clock::CENTURY;
pub use emulator::Emulator;
pub use error::EmulatorError;
pub use faults::{Fault, FaultId, InjectedFault, InvalidFault};
pub use identities::{EmulatorState, InvalidState};
pub use operation::Operation;
pub use resource::TokenStatus;
pub use storage::DataError;
pub use tokens::{EntraToken, EntraTokenKind, EntraTokenRequest, TokenAlgorithm, TokenKey};
pub use uuid::Uuid;
