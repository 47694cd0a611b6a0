#![doc = include_str!("../README.md")]

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
mod json_object;
mod rate_limits;
mod refusals;
mod registry;
mod resource;
mod router;
mod server;
mod service;
pub mod signature;
mod timestamp;
mod tokens;

pub use builder::EmulatorBuilder;
pub use emulator::Emulator;
pub use error::EmulatorError;
pub use resource::TokenStatus;
pub use tokens::{EntraToken, EntraTokenKind, EntraTokenRequest, TokenAlgorithm, TokenKey};
pub use uuid::Uuid;
