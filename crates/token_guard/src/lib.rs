#![doc = include_str!("../README.md")]

#[cfg(feature = "actix")]
mod actix_extractor;
mod algorithm;
#[cfg(feature = "axum")]
mod axum_extractor;
mod bearer;
mod builder;
mod caller;
mod clock;
mod error;
mod guard;
mod keys;
#[cfg(feature = "tower")]
mod layer;
mod providers;
#[cfg(feature = "testing")]
pub mod testing;
mod token;

pub use algorithm::Algorithm;
pub use bearer::BearerToken;
pub use builder::TokenGuardBuilder;
pub use caller::Caller;
pub use clock::Clock;
pub use error::{ConfigurationError, Denial, GuardError, KeysUnavailable, TokenFault};
pub use guard::TokenGuard;
#[cfg(feature = "tower")]
pub use layer::{GuardLayer, Guarded};
pub use providers::{EntraApi, LogtoPermissions};
pub use token::TokenType;
