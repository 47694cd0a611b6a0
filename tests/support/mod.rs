//! The parts that test programs share.

#![allow(
    dead_code,
    unused_imports,
    reason = "part of every test program, and each uses some of it"
)]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

pub(crate) mod child;
pub(crate) mod credentials;
pub(crate) mod emulator;
pub(crate) mod fake_service;
pub(crate) mod fixtures;
pub(crate) mod http_client;
pub(crate) mod log;
pub(crate) mod operation;
pub(crate) mod proxy;
pub(crate) mod raw_server;
pub(crate) mod retries;
pub(crate) mod secrets;
pub(crate) mod signature;
