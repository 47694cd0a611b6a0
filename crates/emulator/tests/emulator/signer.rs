//! A signer of requests, with `RustCrypto` where the emulator uses AWS-LC.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use time::{OffsetDateTime, macros::format_description};

/// The access key of tests that set one.
pub(crate) const KEY: &str = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=";

/// The parts of a request that a client signs.
#[derive(Clone, Copy)]
pub(crate) struct ToSign<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) host: &'a str,
    pub(crate) date: &'a str,
    pub(crate) body: &'a [u8],
}

impl ToSign<'_> {
    pub(crate) fn content_hash(&self) -> String {
        BASE64_STANDARD.encode(Sha256::digest(self.body))
    }

    pub(crate) fn signature(&self, key: &str) -> String {
        let (method, target, date, host) = (self.method, self.target, self.date, self.host);
        let message = format!("{method}\n{target}\n{date};{host};{}", self.content_hash());
        BASE64_STANDARD.encode(hmac(&message, &BASE64_STANDARD.decode(key).unwrap()))
    }

    pub(crate) fn authorization(&self, key: &str) -> String {
        self.authorization_over("x-ms-date;host;x-ms-content-sha256", key)
    }

    pub(crate) fn authorization_over(&self, signed_headers: &str, key: &str) -> String {
        format!(
            "HMAC-SHA256 SignedHeaders={signed_headers}&Signature={}",
            self.signature(key)
        )
    }
}

/// The HMAC of any text under any key, so that tests can sign wrongly.
pub(crate) fn hmac(message: &str, key: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(message.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

pub(crate) fn http_date(time: OffsetDateTime) -> String {
    let format =
        format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");
    time.format(format).unwrap()
}

pub(crate) fn now() -> String {
    http_date(OffsetDateTime::now_utc())
}
