#![no_main]

#[path = "../../tests/fuzz/authorization.rs"]
mod authorization;
#[path = "../../tests/fuzz/redaction.rs"]
mod redaction;
#[path = "../../tests/fuzz/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|data: &[u8]| authorization::check(data));
