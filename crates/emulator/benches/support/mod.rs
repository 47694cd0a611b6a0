//! Signed requests and medians.

use aws_lc_rs::{digest, hmac};
use base64::{Engine, prelude::BASE64_STANDARD};

/// A request to sign.
pub(crate) struct ToSign<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) date: &'a str,
    pub(crate) host: &'a str,
    pub(crate) body: &'a str,
}

impl ToSign<'_> {
    /// The `x-ms-content-sha256` header.
    pub(crate) fn content_sha256(&self) -> String {
        BASE64_STANDARD.encode(digest::digest(&digest::SHA256, self.body.as_bytes()))
    }

    /// The text that the signature covers.
    pub(crate) fn text(&self) -> String {
        let (method, target, date, host) = (self.method, self.target, self.date, self.host);
        format!("{method}\n{target}\n{date};{host};{}", self.content_sha256())
    }

    /// The `Authorization` header.
    pub(crate) fn authorization(&self, key: &hmac::Key) -> String {
        let signature = BASE64_STANDARD.encode(hmac::sign(key, self.text().as_bytes()));
        format!("HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={signature}")
    }
}

/// The lowest, the middle and the highest of some measurements.
pub(crate) struct Spread {
    pub(crate) lowest: f64,
    pub(crate) median: f64,
    pub(crate) highest: f64,
}

impl Spread {
    /// The spread of measurements; `None` without any.
    pub(crate) fn of(mut measurements: Vec<f64>) -> Option<Self> {
        measurements.sort_by(f64::total_cmp);
        Some(Self {
            lowest: *measurements.first()?,
            median: *measurements.get(measurements.len() / 2)?,
            highest: *measurements.last()?,
        })
    }
}
