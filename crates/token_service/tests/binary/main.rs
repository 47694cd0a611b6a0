//! The binary, from outside: as a process, with real connections and signals.
#![cfg(test)]
#![cfg(unix)]

mod configured;
mod drain;
mod gate;
mod local;
mod process;
mod refusals;
mod setup;
mod tls;
