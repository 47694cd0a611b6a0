#![doc = include_str!("../README.md")]

mod access_keys;
mod assigned_user;
mod assignments;
mod builder;
mod certificate;
mod clock;
mod control;
mod emulator;
mod endpoint;
mod error;
mod header;
mod http_date;
mod identity_id;
mod journal;
mod json_object;
mod operation;
mod rate_limits;
mod recent;
mod registry;
mod resource;
mod router;
mod server;
mod service;
pub mod signature;
mod timestamp;
mod tokens;

pub use access_keys::AccessKeyKind;
pub use builder::EmulatorBuilder;
pub use emulator::Emulator;
pub use error::EmulatorError;
pub use operation::Operation;
pub use resource::TokenStatus;
pub use tokens::{EntraToken, EntraTokenKind, EntraTokenRequest, TokenAlgorithm, TokenKey};
pub use uuid::Uuid;
