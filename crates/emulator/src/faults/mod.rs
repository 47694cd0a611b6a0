//! Faults on request, for tests of what a client does about them.
//!
//! A [`Fault`] is what a user asks for, in Rust, JSON or text. It is checked once, when it is injected; what is
//! injected cannot be wrong any more.

mod active;
mod answers;
mod carry_out;
mod effect;
mod fault;
mod invalid;
mod occurrence;
mod text;
mod truncated;

pub(crate) use active::Faults;
pub use active::{FaultId, InjectedFault};
pub(crate) use carry_out::Strike;
pub use fault::Fault;
pub use invalid::InvalidFault;
