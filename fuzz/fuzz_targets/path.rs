#![no_main]

#[path = "../../tests/fuzz/path.rs"]
mod path;
#[path = "../../tests/fuzz/redaction.rs"]
mod redaction;
#[path = "../../tests/fuzz/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|data: &[u8]| path::check(data));
