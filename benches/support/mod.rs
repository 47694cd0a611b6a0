//! What the benches share: a server that costs little, and the ways to ask it for a token.

#![allow(
    dead_code,
    unused_imports,
    reason = "part of several programs, and each uses some of it"
)]

mod caller;
mod server;
mod spread;
mod turn;

pub(crate) use caller::{Caller, transport};
pub(crate) use server::Server;
pub(crate) use spread::Spread;
pub(crate) use turn::Turn;

use std::{env, error::Error};

/// What a bench ends with.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// What a bench was called with, without what `cargo bench` adds.
pub(crate) fn arguments() -> Vec<String> {
    env::args().skip(1).filter(|argument| argument != "--bench").collect()
}
