//! Tests of the program as a process, with real connections and signals.
#![cfg(test)]
#![cfg(unix)]

mod acs_failures;
mod admin;
mod backup;
#[cfg(target_os = "linux")]
mod certificates;
mod commands;
mod configuration;
mod credentials;
mod drain;
mod entra;
#[cfg(target_os = "linux")]
mod environments;
mod forgiving;
#[cfg(target_os = "linux")]
mod hostile;
mod issuers;
mod local;
mod process;
mod refused;
mod rotation;
mod setup;
mod startup;
#[path = "../support/mod.rs"]
#[expect(dead_code, reason = "other tests use the rest of it")]
mod support;
mod teams;
mod telemetry;
mod tls;
