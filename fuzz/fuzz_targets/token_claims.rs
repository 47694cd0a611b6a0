#![no_main]

#[path = "../../tests/fuzz/redaction.rs"]
mod redaction;
#[path = "../../tests/fuzz/token_claims.rs"]
mod token_claims;

libfuzzer_sys::fuzz_target!(|data: &[u8]| token_claims::check(data));
