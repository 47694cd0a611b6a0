//! Injected faults, for tests of how a client reacts to failures.
//!
//! A [`Fault`] is the request of a user, in Rust, JSON or text. It is checked once, when it is injected.

mod effect;
mod fault;
mod injected;
mod occurrence;
mod text;

pub(crate) use effect::{Effect, InjectedBody, InjectedResponse};
pub(crate) use fault::EffectName;
pub use fault::{Fault, InvalidFault};
pub(crate) use injected::{AppliedFaults, Faults};
pub use injected::{FaultId, InjectedFault};
#[cfg(feature = "cli")]
pub(crate) use text::{MODIFIERS, effects};
