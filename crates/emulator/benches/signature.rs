//! The cost of checking the signature of a request.
//!
//! ```sh
//! cargo bench -p acs_identity_emulator --bench signature
//! ```
//!
//! Beside [`verify`], it measures the work that no implementation can avoid: SHA-256 of the body, and HMAC-SHA256 of
//! the text that the signature covers, from the same library. The rounds of both alternate, so that their ratio is
//! right even on a busy machine.
#![allow(clippy::print_stdout, reason = "a bench shows what it measures")]

mod support;

use crate::support::{Spread, ToSign};
use acs_identity_emulator::signature::{AccessKey, SignedRequest, Tolerance, verify};
use aws_lc_rs::{digest, hmac};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{error::Error, hint::black_box, iter, time::Instant};
use time::macros::datetime;

const ROUNDS: usize = 101;
const CHECKS_PER_ROUND: u32 = 2_000;

const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";
const TO_SIGN: ToSign<'_> = ToSign {
    method: "POST",
    target: "/identities/8%3Aacs%3A11111111-1111-1111-1111-111111111111_00000030-5c37-f000-80f5-8b3a0d003502\
             /:issueAccessToken?api-version=2023-10-01",
    date: "Sat, 01 Aug 2026 00:00:00 GMT",
    host: "127.0.0.1:40519",
    body: r#"{"scopes":["chat"]}"#,
};

fn main() -> Result<(), Box<dyn Error>> {
    let hmac_key = hmac::Key::new(hmac::HMAC_SHA256, &BASE64_STANDARD.decode(KEY)?);
    let hash = TO_SIGN.content_sha256();
    let authorization = TO_SIGN.authorization(&hmac_key);
    let request = SignedRequest {
        method: TO_SIGN.method,
        target: TO_SIGN.target,
        host: Some(TO_SIGN.host),
        x_ms_date: Some(TO_SIGN.date),
        date: None,
        content_sha256: Some(&hash),
        authorization: Some(&authorization),
        body: TO_SIGN.body.as_bytes(),
    };
    let key: AccessKey = KEY.parse()?;
    let now = datetime!(2026-08-01 00:00 UTC);
    verify(&request, &key, now, Tolerance::Strict)?;

    let text = TO_SIGN.text();
    let check = || verify(black_box(&request), &key, now, Tolerance::default());
    let bare = || {
        let hash = digest::digest(&digest::SHA256, black_box(TO_SIGN.body.as_bytes()));
        (hash, hmac::sign(&hmac_key, black_box(text.as_bytes())))
    };
    let rounds = iter::repeat_with(|| (microseconds(check), microseconds(bare))).take(ROUNDS);
    let (checks, bare): (Vec<_>, Vec<_>) = rounds.unzip();
    let ratios = checks.iter().zip(&bare).map(|(check, bare)| check / bare).collect();

    println!("Median (lowest to highest) of {ROUNDS} rounds of {CHECKS_PER_ROUND}, on one core:\n");
    show("signature::verify", checks, "µs");
    show("bare SHA-256 and HMAC", bare, "µs");
    show("ratio", ratios, "");
    Ok(())
}

/// The mean time of one call.
fn microseconds<T>(call: impl Fn() -> T) -> f64 {
    let started = Instant::now();
    for _ in 0..CHECKS_PER_ROUND {
        black_box(call());
    }
    started.elapsed().as_secs_f64() * 1e6 / f64::from(CHECKS_PER_ROUND)
}

fn show(name: &str, measurements: Vec<f64>, unit: &str) {
    if let Some(spread) = Spread::of(measurements) {
        let Spread {
            lowest,
            median,
            highest,
        } = spread;
        println!("{name:<22} {median:.2} {unit} ({lowest:.2} to {highest:.2})");
    }
}
