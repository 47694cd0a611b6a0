//! The text that a signature covers.

use crate::signature::{AccessKey, Tolerance, quirks};
use aws_lc_rs::digest;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::fmt::{self, Display, Formatter};

/// The parts of the text that a signature covers. `Display` is the text itself.
#[derive(Clone, Copy)]
pub(super) struct StringToSign<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) date: &'a str,
    pub(super) host: &'a str,
    pub(super) hash: &'a str,
}

impl StringToSign<'_> {
    /// Whether `signature` is that of this text, or of a form of it that the tolerance allows.
    pub(super) fn is_signed(&self, key: &AccessKey, signature: &[u8], tolerance: Tolerance) -> bool {
        let is_signed = |text: &StringToSign<'_>| key.has_signed(&text.to_string(), signature);
        let is_signed_by_official_client = || {
            let hosts = quirks::hosts(self.host);
            let targets = quirks::targets(self.target);
            targets.iter().any(|target| {
                hosts
                    .iter()
                    .any(|host| is_signed(&StringToSign { target, host, ..*self }))
            })
        };
        is_signed(self) || (tolerance == Tolerance::OfficialClients && is_signed_by_official_client())
    }
}

impl Display for StringToSign<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            method,
            target,
            date,
            host,
            hash,
        } = self;
        write!(f, "{method}\n{target}\n{date};{host};{hash}")
    }
}

/// The hash of a body as `x-ms-content-sha256` has it.
pub(super) fn content_hash(body: &[u8]) -> String {
    BASE64_STANDARD.encode(digest::digest(&digest::SHA256, body))
}
