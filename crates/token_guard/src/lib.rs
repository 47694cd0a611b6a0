#![doc = include_str!("../README.md")]

mod algorithm;
mod bearer;
mod builder;
mod caller;
mod clock;
mod entra;
mod error;
#[cfg(any(feature = "actix", feature = "axum"))]
mod extractors;
mod guard;
mod keys;
#[cfg(feature = "tower")]
mod layer;
mod logto;
#[cfg(feature = "testing")]
pub mod testing;
mod token;

pub use algorithm::Algorithm;
pub use bearer::BearerToken;
pub use builder::TokenGuardBuilder;
pub use caller::Caller;
pub use clock::Clock;
pub use entra::EntraApi;
pub use error::{ConfigurationError, Denial, GuardError, KeysUnavailable, TokenFault};
pub use guard::TokenGuard;
#[cfg(feature = "tower")]
pub use layer::{GuardLayer, Guarded};
pub use logto::LogtoPermissions;
pub use token::TokenType;
