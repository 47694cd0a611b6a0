#![no_main]

#[path = "../../tests/fuzz/raw_id.rs"]
mod raw_id;

libfuzzer_sys::fuzz_target!(|data: &[u8]| raw_id::check(data));
