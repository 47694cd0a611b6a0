//! The cost of signing a request.
//!
//! ```sh
//! cargo bench --bench signing
//! ```
//!
//! The functions are not public, so this program includes their files. Beside them it measures the least that any
//! implementation must do: SHA-256 of the body, and HMAC-SHA256 of the string to sign, from the same library. The rounds of
//! both alternate, so that their ratio is right even on a busy machine.

#![allow(clippy::print_stdout, reason = "a bench shows what it measures")]

#[allow(unused_imports, dead_code, reason = "its tests are not run here")]
#[path = "../src/auth/signature.rs"]
mod signature;
mod support;

use crate::{
    signature::{SigningKey, Unsigned, header_date, sign},
    support::{Outcome, Spread},
};
use azure_core::{http::Method, time::OffsetDateTime};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::{hint::black_box, iter, time::Instant};

const ROUNDS: usize = 101;
const CALLS_PER_ROUND: u32 = 2_000;

const URL: &str = "https://contoso.communication.azure.com/identities/8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_\
                   45ab2481-1c1c-4005-be24-0ffb879b1130/:issueAccessToken?api-version=2025-06-30";
const STRING_TO_SIGN: &str = "POST\n/identities/8:acs:bbbcbc1e-9f06-482a-b5d8-20e3f26ef0cd_45ab2481-1c1c-4005-be24-\
                              0ffb879b1130/:issueAccessToken?api-version=2025-06-30\nSat, 01 Aug 2026 00:00:00 GMT;\
                              contoso.communication.azure.com;47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
const BODY: &[u8] = br#"{"scopes":["chat","voip"],"expiresInMinutes":60}"#;

fn main() -> Outcome {
    let key = SigningKey::from_base64("c2VjcmV0IGFjY2VzcyBrZXkgb2YgdGhlIHJlc291cmNlIGluIGJhc2U2NA==");
    let key = key.ok_or("the key is not base64")?;
    let url = URL.parse()?;
    let signature = || {
        let date = header_date(OffsetDateTime::now_utc());
        let request = Unsigned {
            method: Method::Post,
            url: black_box(&url),
            date: &date,
            body: black_box(BODY),
        };
        let signature = sign(&key, &request);
        (date, signature.content_hash, signature.authorization)
    };
    let keyed = Hmac::<Sha256>::new_from_slice(b"secret access key of the resource in base64")?;
    let bare = || {
        let hash = Sha256::digest(black_box(BODY));
        let mut mac = keyed.clone();
        mac.update(black_box(STRING_TO_SIGN.as_bytes()));
        (hash, mac.finalize())
    };
    let rounds = iter::repeat_with(|| (nanoseconds(signature), nanoseconds(bare))).take(ROUNDS);
    let (signatures, bare): (Vec<_>, Vec<_>) = rounds.unzip();
    let ratios = signatures.iter().zip(&bare).map(|(signature, bare)| signature / bare);

    let nothing = "nothing was measured";
    println!("Median (lowest to highest) of {ROUNDS} rounds of {CALLS_PER_ROUND}:\n");
    println!("ratio                  {:.2}", Spread::of(ratios).ok_or(nothing)?);
    println!(
        "date and signature     {:.0} ns",
        Spread::of(signatures).ok_or(nothing)?
    );
    println!("bare SHA-256 and HMAC  {:.0} ns", Spread::of(bare).ok_or(nothing)?);
    Ok(())
}

/// Returns the mean time of one call.
fn nanoseconds<T>(call: impl Fn() -> T) -> f64 {
    let started = Instant::now();
    for _ in 0..CALLS_PER_ROUND {
        black_box(call());
    }
    started.elapsed().as_secs_f64() * 1e9 / f64::from(CALLS_PER_ROUND)
}
