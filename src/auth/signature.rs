//! The signature of a request and its date, as pure functions.
//!
//! The rule: <https://learn.microsoft.com/rest/api/communication/authentication>. The signature is the base64 of
//! HMAC-SHA256, under the decoded access key, of
//!
//! ```text
//! VERB\n
//! path?query\n
//! date;host[:port];base64(SHA-256(body))
//! ```

use azure_core::{
    http::{Method, Url},
    time::OffsetDateTime,
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use std::fmt;
use url::Position;
use zeroize::Zeroizing;

/// Standard base64. Keys that lost their padding to a split at `=` still decode to the bytes they stand for.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The length of 32 bytes in base64.
const BASE64_SHA256_LEN: usize = 44;

/// The beginning of the `Authorization` header: the scheme and the headers that the signature covers, in the order in which
/// the string to sign holds them.
const AUTHORIZATION_PREFIX: &str = "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=";

/// An access key, decoded once and taken into the state of the MAC, which is overwritten when it is dropped.
#[derive(Clone)]
pub(crate) struct SigningKey(Hmac<Sha256>);

impl SigningKey {
    /// Decodes a key; `None` if it is empty or not base64. A decoder's error would show characters of the key.
    pub(crate) fn from_base64(key: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64.decode(key).ok()?);
        if bytes.is_empty() {
            return None;
        }
        Hmac::new_from_slice(&bytes).ok().map(Self)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey")
    }
}

/// The parts of a request that its signature covers.
#[derive(Clone, Copy)]
pub(crate) struct Unsigned<'a> {
    pub(crate) method: Method,
    /// Exactly as it goes on the wire.
    pub(crate) url: &'a Url,
    /// The value of `x-ms-date`: RFC 1123, in GMT, the day in two digits.
    pub(crate) date: &'a str,
    pub(crate) body: &'a [u8],
}

/// The values of the two headers that a signature adds beside `x-ms-date`.
pub(crate) struct Signature {
    /// `x-ms-content-sha256`
    pub(crate) content_hash: String,
    /// `Authorization`
    pub(crate) authorization: String,
}

/// Signs a request.
pub(crate) fn sign(key: &SigningKey, request: &Unsigned<'_>) -> Signature {
    let content_hash = content_hash(request.body);
    let mut mac = key.0.clone();
    for part in string_to_sign(request, &content_hash) {
        mac.update(part.as_bytes());
    }

    let mut authorization = String::with_capacity(AUTHORIZATION_PREFIX.len() + BASE64_SHA256_LEN);
    authorization.push_str(AUTHORIZATION_PREFIX);
    BASE64.encode_string(mac.finalize().into_bytes(), &mut authorization);

    Signature {
        content_hash,
        authorization,
    }
}

/// The base64 of the SHA-256 of a body; an empty body has one as well.
fn content_hash(body: &[u8]) -> String {
    let mut hash = String::with_capacity(BASE64_SHA256_LEN);
    BASE64.encode_string(Sha256::digest(body), &mut hash);
    hash
}

/// The string to sign, in the pieces that the MAC takes one after the other.
fn string_to_sign<'a>(request: &Unsigned<'a>, content_hash: &'a str) -> [&'a str; 9] {
    let Unsigned { method, url, date, .. } = *request;
    [
        method.as_str(),
        "\n",
        &url[Position::BeforePath..Position::AfterQuery],
        "\n",
        date,
        ";",
        // As in the `Host` header: a port stands here unless it is the scheme's own.
        &url[Position::BeforeHost..Position::AfterPort],
        ";",
        content_hash,
    ]
}

/// The days of the week in a date.
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The months in a date.
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// The length of every date.
const DATE_LEN: usize = "Sat, 01 Aug 2026 00:00:00 GMT".len();

/// Writes a time as `x-ms-date` has it: RFC 1123, in GMT, with the day in two digits.
///
/// azure_core's `to_rfc7231` writes the same, but interprets a description of the form: it would take a quarter of the time
/// of a signature.
pub(crate) fn header_date(time: OffsetDateTime) -> String {
    let time = time.to_utc();
    let (year, month, day) = time.to_calendar_date();
    let (hour, minute, second) = time.as_hms();

    let mut date = String::with_capacity(DATE_LEN);
    date.push_str(name(&DAYS, time.weekday().number_days_from_monday()));
    date.push_str(", ");
    push_two_digits(&mut date, day);
    date.push(' ');
    date.push_str(name(&MONTHS, u8::from(month) - 1));
    date.push(' ');
    // No time of this type is later than the year 9999.
    push_two_digits(&mut date, u8::try_from(year / 100).unwrap_or_default());
    push_two_digits(&mut date, u8::try_from(year % 100).unwrap_or_default());
    date.push(' ');
    push_two_digits(&mut date, hour);
    date.push(':');
    push_two_digits(&mut date, minute);
    date.push(':');
    push_two_digits(&mut date, second);
    date.push_str(" GMT");
    date
}

fn name(names: &[&'static str], index: u8) -> &'static str {
    names.get(usize::from(index)).copied().unwrap_or_default()
}

fn push_two_digits(text: &mut String, number: u8) {
    text.push(char::from(b'0' + number / 10));
    text.push(char::from(b'0' + number % 10));
}

#[cfg(test)]
mod tests {
    use super::*;
    use azure_core::time::{Duration, parse_rfc3339, to_rfc7231};
    use serde::Deserialize;

    /// A vector of `testdata/signing.json`, which names its source.
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vector {
        name: String,
        key: String,
        method: String,
        url: String,
        date: String,
        body: String,
        content_hash: String,
        string_to_sign: String,
        signature: String,
    }

    fn vectors() -> Vec<Vector> {
        let vectors: Vec<Vector> = serde_json::from_str(include_str!("../../testdata/signing.json")).unwrap();
        assert_eq!(vectors.len(), 10);
        vectors
    }

    impl Vector {
        fn unsigned<'a>(&'a self, url: &'a Url) -> Unsigned<'a> {
            Unsigned {
                method: match self.method.as_str() {
                    "GET" => Method::Get,
                    "POST" => Method::Post,
                    "DELETE" => Method::Delete,
                    other => panic!("{other}"),
                },
                url,
                date: &self.date,
                body: self.body.as_bytes(),
            }
        }
    }

    #[test]
    fn content_hashes_are_the_golden_ones() {
        for vector in vectors() {
            assert_eq!(
                content_hash(vector.body.as_bytes()),
                vector.content_hash,
                "{}",
                vector.name
            );
        }
        // The official clients' own vectors.
        assert_eq!(content_hash(b"banana"), "tJPUg2Sv5E0RwBZc9HCkFk0eJgmRHvmYvoaNRq3j3k4=");
        assert_eq!(
            content_hash("😀".as_bytes()),
            "8EQ6NCxe9UeDoRG1G6Vsk45HTDIyTZDDpgycjjo34tk="
        );
    }

    #[test]
    fn strings_to_sign_are_the_golden_ones() {
        for vector in vectors() {
            let url = vector.url.parse().unwrap();
            let parts = string_to_sign(&vector.unsigned(&url), &vector.content_hash);
            assert_eq!(parts.concat(), vector.string_to_sign, "{}", vector.name);
        }
    }

    #[test]
    fn signatures_are_the_golden_ones() {
        for vector in vectors() {
            let key = SigningKey::from_base64(&vector.key).unwrap();
            let signature = sign(&key, &vector.unsigned(&vector.url.parse().unwrap()));
            assert_eq!(signature.content_hash, vector.content_hash, "{}", vector.name);
            assert_eq!(
                signature.authorization,
                format!(
                    "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature={}",
                    vector.signature
                ),
                "{}",
                vector.name
            );
        }
    }

    #[test]
    fn a_key_is_base64_of_at_least_one_byte() {
        assert!(SigningKey::from_base64("pw==").is_some());
        assert!(SigningKey::from_base64("pw").is_some(), "padding lost at a `=`");
        for key in ["", "=", "====", "p", "pw==pw==", "not base64", "pw==\n", "pw\u{e9}="] {
            assert!(SigningKey::from_base64(key).is_none(), "{key:?}");
        }
    }

    fn date(time: &str) -> String {
        header_date(parse_rfc3339(time).unwrap())
    }

    #[test]
    fn dates_are_in_gmt_with_two_digits_each() {
        assert_eq!(date("2026-08-01T00:00:00Z"), "Sat, 01 Aug 2026 00:00:00 GMT");
        assert_eq!(date("2026-08-01T01:30:59.999+02:00"), "Fri, 31 Jul 2026 23:30:59 GMT");
        assert_eq!(date("2000-02-29T23:59:59Z"), "Tue, 29 Feb 2000 23:59:59 GMT");
    }

    #[test]
    fn dates_are_those_of_azure_core() {
        let start = parse_rfc3339("1999-12-31T20:59:58Z").unwrap();
        for hours in (0..24 * 366 * 30).step_by(23) {
            let time = start + Duration::hours(hours);
            assert_eq!(header_date(time), to_rfc7231(&time));
        }
    }
}
