#![doc = include_str!("../README.md")]

mod algorithm;
mod bearer;
mod bounded;
mod builder;
mod call_automation;
mod caller;
mod clock;
mod entra;
mod error;
mod event_grid;
mod evidence;
#[cfg(any(feature = "actix", feature = "axum"))]
mod extractors;
mod guard;
mod json_object;
mod keys;
#[cfg(feature = "tower")]
mod layer;
mod logto;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
#[cfg(any(feature = "actix", feature = "axum"))]
mod webhook;

pub use algorithm::Algorithm;
pub use bearer::BearerToken;
pub use builder::TokenGuardBuilder;
pub use caller::Caller;
pub use clock::Clock;
pub use entra::EntraApi;
pub use error::{ConfigurationError, Denial, GuardError, KeysUnavailable, TokenFault};
#[cfg(feature = "actix")]
pub use extractors::OptionalCaller;
pub use guard::TokenGuard;
#[cfg(feature = "tower")]
pub use layer::{GuardLayer, Guarded};
pub use logto::LogtoPermissions;
pub use token::TokenType;
#[cfg(any(feature = "actix", feature = "axum"))]
pub use webhook::Webhook;
