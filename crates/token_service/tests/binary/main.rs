//! The binary, from outside: as a process, with real connections and signals.
#![cfg(test)]
#![cfg(unix)]

#[cfg(target_os = "linux")]
mod certificates;
mod configured;
mod drain;
mod entra;
mod gate;
mod local;
mod process;
mod refusals;
mod setup;
mod teams;
mod tls;
mod trouble;
