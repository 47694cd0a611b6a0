//! The parts that the benches share: a server that costs little, and its callers.

#![allow(
    dead_code,
    unused_imports,
    reason = "part of several programs, and each uses some of it"
)]

mod caller;
mod measurement;
mod server;
mod spread;

pub(crate) use caller::{Caller, KEY, USER, transport};
pub(crate) use measurement::Measurement;
pub(crate) use server::Server;
pub(crate) use spread::Spread;

use std::{env, error::Error};

/// The result of a bench.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// Returns the arguments of a bench, without the one that `cargo bench` adds.
pub(crate) fn arguments() -> Vec<String> {
    env::args().skip(1).filter(|argument| argument != "--bench").collect()
}
