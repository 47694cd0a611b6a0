#![no_main]

#[path = "../../tests/fuzz/hidden.rs"]
mod hidden;
#[path = "../../tests/fuzz/path.rs"]
mod path;
#[path = "../../tests/fuzz/wire.rs"]
mod wire;

libfuzzer_sys::fuzz_target!(|data: &[u8]| path::check(data));
