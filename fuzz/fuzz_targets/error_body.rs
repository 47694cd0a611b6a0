#![no_main]

#[path = "../../tests/fuzz/client.rs"]
mod client;
#[path = "../../tests/fuzz/error_body.rs"]
mod error_body;
#[path = "../../tests/support/fake_service.rs"]
mod fake_service;
#[path = "../../tests/fuzz/redaction.rs"]
mod redaction;

libfuzzer_sys::fuzz_target!(|data: &[u8]| error_body::check(data));
