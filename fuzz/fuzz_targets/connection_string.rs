#![no_main]

#[path = "../../tests/fuzz/client.rs"]
mod client;
#[path = "../../tests/fuzz/connection_string.rs"]
mod connection_string;
#[path = "../../tests/fuzz/hidden.rs"]
mod hidden;

libfuzzer_sys::fuzz_target!(|data: &[u8]| connection_string::check(data));
