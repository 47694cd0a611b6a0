#![no_main]

#[path = "../../tests/fuzz/client.rs"]
mod client;
#[path = "../../tests/fuzz/expires_on.rs"]
mod expires_on;
#[path = "../../tests/support/fake_service.rs"]
mod fake_service;
#[path = "../../tests/fuzz/redaction.rs"]
mod redaction;

libfuzzer_sys::fuzz_target!(|data: &[u8]| expires_on::check(data));
