//! The checks of the fuzz targets on any toolchain, for their seeds and for small changes to them.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod authorization;
mod client;
mod connection_string;
mod error_body;
mod expires_on;
mod path;
mod raw_id;
mod redaction;
#[path = "../support/mod.rs"]
mod support;
mod token_claims;
mod wire;

use std::{fs, path::Path};
use support::{fake_service, signature};

/// Checks all seeds of a target, each also with a change at every place: cut off, a byte left out, or a byte changed.
fn replay(target: &str, check: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(target);
    let mut count = 0;
    for seed in fs::read_dir(seeds).unwrap() {
        let seed = fs::read(seed.unwrap().path()).unwrap();
        check(&seed);
        for at in 0..seed.len() {
            let mut changed = seed.clone();
            match at % 3 {
                0 => changed.truncate(at),
                1 => drop(changed.remove(at)),
                _ => changed[at] ^= 1,
            }
            check(&changed);
        }
        count += 1;
    }
    assert!(count >= 20, "{target} has {count} seeds");
}

#[test]
fn connection_strings() {
    replay("connection_string", connection_string::check);
}

#[test]
fn raw_ids() {
    replay("raw_id", raw_id::check);
}

#[test]
fn error_bodies() {
    replay("error_body", error_body::check);
}

#[test]
fn token_claims() {
    replay("token_claims", token_claims::check);
}

#[test]
fn expiries() {
    replay("expires_on", expires_on::check);
}

#[test]
fn authorizations() {
    replay("authorization", authorization::check);
}

#[test]
fn paths() {
    replay("path", path::check);
}
