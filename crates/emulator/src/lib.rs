#![doc = include_str!("../README.md")]

mod access_keys;
mod assigned_user;
mod assignments;
mod builder;
mod certificate;
mod clock;
mod control;
mod data_error;
#[cfg(feature = "persistence")]
mod data_file;
mod emulator;
mod endpoint;
mod error;
mod faults;
mod header;
mod hidden;
mod http_date;
mod identity_id;
mod journal;
mod json_object;
mod note;
mod operation;
mod rate_limits;
mod recent;
mod registry;
mod reset;
mod resource;
mod revocation_delay;
mod router;
mod server;
mod service;
pub mod signature;
mod store;
mod timestamp;
mod tokens;

pub use access_keys::AccessKeyKind;
pub use builder::EmulatorBuilder;
pub use data_error::DataError;
pub use emulator::Emulator;
pub use error::EmulatorError;
pub use faults::{Fault, FaultId, InjectedFault, InvalidFault};
pub use operation::Operation;
pub use resource::TokenStatus;
pub use service::UnknownVersion;
pub use tokens::{EntraToken, EntraTokenKind, EntraTokenRequest, TokenAlgorithm, TokenKey};
pub use uuid::Uuid;
