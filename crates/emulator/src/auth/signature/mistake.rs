//! Known mistakes of clients that sign a request, and their detection.

use crate::auth::signature::{
    AccessKey, SignedRequest, json_whitespace,
    string_to_sign::{StringToSign, content_hash},
    verify::Authorization,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::uri::Authority;
use percent_encoding::percent_decode_str;
use std::fmt::{self, Display, Formatter};
use time::Duration;

/// A mistake that gives the signature, or another header, that a client has sent.
///
/// `Display` describes the mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mistake {
    /// The signed host ends with a slash, as an endpoint does.
    TrailingSlashInHost,
    /// The signed host begins with `http://` or `https://`.
    SchemeInHost,
    /// The signed host lacks the port.
    PortLeftOut,
    /// The signed host has the port twice.
    PortDoubled,
    /// The signed path is percent-decoded.
    DecodedPath,
    /// The signed path lacks the query.
    QueryLeftOut,
    /// The signed verb is in lower case.
    LowerCaseVerb,
    /// The signed date is that of `Date`, not that of `x-ms-date`.
    DateHeader,
    /// The date is off by the offset of a time zone.
    LocalTime,
    /// The text of the access key is the key of the HMAC, not the bytes that it encodes.
    UndecodedKey,
    /// The signature is in hexadecimal, not in base64.
    HexSignature,
    /// The body hash is in hexadecimal, not in base64.
    HexBodyHash,
    /// The body hash is that of the same JSON with other white space.
    ReserialisedBody,
    /// Signature and body hash belong together, but the hash is not that of the body.
    OtherBody,
    /// The string to sign ends with a newline.
    TrailingNewline,
}

impl Mistake {
    /// The part of the request or of its signature that differs.
    pub(super) fn part(self) -> &'static str {
        match self {
            Self::TrailingSlashInHost | Self::SchemeInHost | Self::PortLeftOut | Self::PortDoubled => "host",
            Self::DecodedPath => "path",
            Self::QueryLeftOut => "query",
            Self::LowerCaseVerb => "verb",
            Self::DateHeader | Self::LocalTime => "date",
            Self::UndecodedKey => "key",
            Self::HexSignature => "signature",
            Self::HexBodyHash | Self::ReserialisedBody | Self::OtherBody => "body hash",
            Self::TrailingNewline => "string to sign",
        }
    }

    pub(super) fn remedy(self) -> &'static str {
        match self {
            Self::TrailingSlashInHost => "Sign the host without the endpoint's trailing slash.",
            Self::SchemeInHost => "Sign the host and its port alone, without `http://` or `https://`.",
            Self::PortLeftOut => "Sign the port too, as the `Host` header has it.",
            Self::PortDoubled => "Sign the port once, as the `Host` header has it.",
            Self::DecodedPath => "Sign the path as the request line has it, percent-encoded.",
            Self::QueryLeftOut => "Sign the query too, with its question mark, as the request line has it.",
            Self::LowerCaseVerb => "Sign the verb in upper case.",
            Self::DateHeader => {
                "Sign the value of `x-ms-date`, and list `x-ms-date;host;x-ms-content-sha256` as `SignedHeaders`."
            }
            Self::LocalTime => "Write the date in UTC, which is what `GMT` stands for.",
            Self::UndecodedKey => "Decode the access key from base64, and use the bytes as the key of the HMAC.",
            Self::HexSignature => "Encode the bytes of the signature in base64.",
            Self::HexBodyHash => {
                "Encode the bytes of the body's SHA-256 in base64, in the header and where it is signed."
            }
            Self::ReserialisedBody => "Serialize the body once, and hash the very bytes that are sent.",
            Self::OtherBody => "Hash the very bytes that are sent, after the last change to them.",
            Self::TrailingNewline => "End the string to sign with the body hash, without a newline.",
        }
    }
}

impl Display for Mistake {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TrailingSlashInHost => "the signature is right for the host with a slash at its end",
            Self::SchemeInHost => "the signature is right for the host with its scheme",
            Self::PortLeftOut => "the signature is right for the host without its port",
            Self::PortDoubled => "the signature is right for the host with its port twice",
            Self::DecodedPath => "the signature is right for the percent-decoded path",
            Self::QueryLeftOut => "the signature is right for the path without the query",
            Self::LowerCaseVerb => "the signature is right for the verb in lower case",
            Self::DateHeader => "the signature is right for the date in `Date` instead of that in `x-ms-date`",
            Self::LocalTime => "it is off by the offset of a time zone, as a local time is",
            Self::UndecodedKey => "the signature is right for the text of the access key, not decoded from base64",
            Self::HexSignature => "the signature is right, but in hexadecimal",
            Self::HexBodyHash => "the body hash is right, but in hexadecimal",
            Self::ReserialisedBody => {
                "x-ms-content-sha256 is the hash of the same JSON with other white space than in the received body"
            }
            Self::OtherBody => {
                "the signature is right for the hash in x-ms-content-sha256, which is that of another body"
            }
            Self::TrailingNewline => "the signature is right for the string to sign with a newline at its end",
        })
    }
}

/// The largest offset of a time zone from UTC.
const MAX_OFFSET: Duration = Duration::hours(14);
/// Offsets of time zones are multiples of this, but for a few.
const OFFSET_STEP: Duration = Duration::minutes(30);
/// The difference of clocks within which a date is still taken for local time.
const OFFSET_SLACK: Duration = Duration::seconds(60);

/// Returns whether a date is off by the offset of a time zone.
pub(super) fn is_local_time(ahead: Duration) -> bool {
    let ahead = ahead.abs().whole_seconds();
    let beyond = ahead % OFFSET_STEP.whole_seconds();
    let slack = OFFSET_SLACK.whole_seconds();
    let near = beyond <= slack || beyond >= OFFSET_STEP.whole_seconds() - slack;
    near && ahead <= MAX_OFFSET.whole_seconds() + slack
}

/// The mistake in the body hash. `is_signed` is true if the signature is right for the hash that was sent.
pub(super) fn in_body_hash(sent: &str, body: &[u8], is_signed: bool) -> Option<Mistake> {
    if sent.eq_ignore_ascii_case(&hex_hash(body)) {
        return Some(Mistake::HexBodyHash);
    }
    let is_reserialised = str::from_utf8(body)
        .ok()
        .and_then(json_whitespace::other_forms)
        .is_some_and(|forms| forms.iter().any(|form| content_hash(form.as_bytes()) == sent));
    if is_reserialised {
        return Some(Mistake::ReserialisedBody);
    }
    is_signed.then_some(Mistake::OtherBody)
}

/// The mistake in the signed string, in the key or in the form of the signature, and the string that was signed in
/// place of `right`.
pub(super) fn in_signature(
    request: &SignedRequest<'_>,
    right: StringToSign<'_>,
    authorization: &Authorization,
    key: &AccessKey,
) -> Option<(Mistake, String)> {
    let signature = authorization.signature.as_slice();
    let mistaken = messages(request, right)
        .into_iter()
        .find(|(_, message)| key.has_signed(message, signature));
    if mistaken.is_some() {
        return mistaken;
    }
    let message = right.to_string();
    if key.has_signed_as_text(&message, signature) {
        return Some((Mistake::UndecodedKey, message));
    }
    // The 64 hexadecimal digits are base64 too, only of other bytes.
    let bytes = decode_hex(&BASE64_STANDARD.encode(signature))?;
    key.has_signed(&message, &bytes)
        .then_some((Mistake::HexSignature, message))
}

/// The strings that clients sign by mistake in place of `right`.
fn messages(request: &SignedRequest<'_>, right: StringToSign<'_>) -> Vec<(Mistake, String)> {
    let StringToSign {
        method, target, host, ..
    } = right;
    let of_host = |host: &str| StringToSign { host, ..right }.to_string();
    let of_target = |target: &str| StringToSign { target, ..right }.to_string();

    let mut messages = vec![
        (Mistake::TrailingSlashInHost, of_host(&format!("{host}/"))),
        (Mistake::TrailingNewline, format!("{right}\n")),
        (
            Mistake::LowerCaseVerb,
            StringToSign {
                method: &method.to_ascii_lowercase(),
                ..right
            }
            .to_string(),
        ),
        (
            Mistake::HexBodyHash,
            StringToSign {
                hash: &hex_hash(request.body),
                ..right
            }
            .to_string(),
        ),
    ];
    for scheme in ["http", "https"] {
        for end in ["", "/"] {
            messages.push((Mistake::SchemeInHost, of_host(&format!("{scheme}://{host}{end}"))));
        }
    }
    if let Ok(authority) = host.parse::<Authority>()
        && let Some(port) = authority.port()
    {
        messages.push((Mistake::PortLeftOut, of_host(authority.host())));
        messages.push((Mistake::PortDoubled, of_host(&format!("{host}:{port}"))));
    }
    if let Some((path, query)) = target.split_once('?') {
        messages.push((Mistake::QueryLeftOut, of_target(path)));
        let decoded = percent_decode_str(path).decode_utf8_lossy();
        messages.push((Mistake::DecodedPath, of_target(&format!("{decoded}?{query}"))));
    } else {
        messages.push((
            Mistake::DecodedPath,
            of_target(&percent_decode_str(target).decode_utf8_lossy()),
        ));
    }
    if let Some(date) = request.date {
        messages.push((Mistake::DateHeader, StringToSign { date, ..right }.to_string()));
    }
    messages
}

/// The hash of a body in lower-case hexadecimal.
fn hex_hash(body: &[u8]) -> String {
    let hash = BASE64_STANDARD.decode(content_hash(body)).unwrap_or_default();
    let digit = |value: u8| char::from_digit(value.into(), 16);
    let digits = hash.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]);
    digits.flatten().collect()
}

/// The bytes of hexadecimal digits; `None` if they are anything else.
fn decode_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<_>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| u8::try_from(high * 16 + low).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hex_is_decoded_in_either_case() {
        assert_eq!(decode_hex("00fF1a"), Some(vec![0, 255, 26]));
        for bad in ["0", "0g", "é0"] {
            assert_eq!(decode_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn local_time_is_off_by_half_hours() {
        for seconds in [1800, 3600, -18_000, 19_800, 3540, 3660, 14 * 3600 + 60] {
            assert!(is_local_time(Duration::seconds(seconds)), "{seconds}");
        }
        for seconds in [301, 3539, 3661, -2700, 14 * 3600 + 61, 86_400, i64::MIN, i64::MAX] {
            assert!(!is_local_time(Duration::seconds(seconds)), "{seconds}");
        }
    }
}
