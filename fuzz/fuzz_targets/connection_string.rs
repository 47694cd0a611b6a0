#![no_main]

#[path = "../../tests/fuzz/client.rs"]
mod client;
#[path = "../../tests/fuzz/connection_string.rs"]
mod connection_string;
#[path = "../../tests/support/fake_service.rs"]
mod fake_service;
#[path = "../../tests/fuzz/redaction.rs"]
mod redaction;
#[path = "../../tests/support/signature.rs"]
mod signature;

libfuzzer_sys::fuzz_target!(|data: &[u8]| connection_string::check(data));
