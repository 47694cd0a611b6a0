//! Detection of known mistakes, alone and in pairs: the mistaken strings and keys are tried until one gives the signature.

use crate::{
    auth::signature::{
        AccessKey, Mistake, SignatureError, SignedRequest, Tolerance, json_whitespace,
        string_to_sign::{StringToSign, content_hash},
        verify::{Authorization, verify},
    },
    dates,
};
use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use http::uri::Authority;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::{iter::once, mem::discriminant};
use time::{Duration, OffsetDateTime};

/// The most mistakes that are found together.
const MAX_MISTAKES: usize = 2;

/// The mistakes of a client, and the string that it signed, if that is known.
#[derive(Default)]
pub(super) struct Found {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) signed: Option<String>,
}

/// A refused request, the key that it should be signed with, and the circumstances.
#[derive(Clone, Copy)]
pub(super) struct Refused<'a> {
    pub(super) request: SignedRequest<'a>,
    pub(super) key: &'a AccessKey,
    pub(super) now: OffsetDateTime,
    pub(super) tolerance: Tolerance,
}

impl Refused<'_> {
    /// Finds the mistakes that give an error of [`verify`].
    pub(super) fn mistakes(&self, error: &SignatureError) -> Found {
        let mut found = self.find(error, MAX_MISTAKES).unwrap_or_default();
        // Two in the header and one in another part are three.
        found.mistakes.truncate(MAX_MISTAKES);
        found
    }

    fn find(&self, error: &SignatureError, limit: usize) -> Option<Found> {
        match error {
            SignatureError::ClockSkew { ahead } => is_local_time(*ahead).then(|| Found::of(Mistake::LocalTime)),
            SignatureError::MalformedAuthorization => self.in_authorization(limit),
            SignatureError::MalformedDate => {
                let form = form_of_date(self.date()?)?;
                // The body is checked after the date.
                let in_hash = self.in_body_hash().filter(|_| limit > 1 && self.has_other_hash());
                match in_hash {
                    Some(mistake) => Some(Found::of(mistake).after(form)),
                    None => self.and_in_signature(form, limit),
                }
            }
            SignatureError::BodyHashMismatch => self.and_in_signature(self.in_body_hash()?, limit),
            SignatureError::SignatureMismatch
            | SignatureError::UnsupportedSignedHeaders
            | SignatureError::MissingHeader("x-ms-date") => self.in_signature(limit),
            SignatureError::MissingHeader(_) => None,
        }
    }

    /// The date that is signed.
    fn date(&self) -> Option<&str> {
        self.request.x_ms_date.or(self.request.date)
    }

    /// The parsed header, and the string that it should sign.
    fn right(&self) -> Option<(Authorization, StringToSign<'_>)> {
        let right = StringToSign {
            method: self.request.method,
            target: self.request.target,
            // If it is missing, the only date that can be signed is that of `Date`.
            date: self.request.x_ms_date.unwrap_or_default(),
            host: self.request.host?,
            hash: self.request.content_sha256?,
        };
        Some((Authorization::parse(self.request.authorization?).ok()?, right))
    }

    fn has_other_hash(&self) -> bool {
        let sent = self.request.content_sha256;
        sent.is_some_and(|hash| hash != content_hash(self.request.body))
    }

    /// The mistake in the body hash, if that is not right.
    fn in_body_hash(&self) -> Option<Mistake> {
        let (authorization, right) = self.right()?;
        let is_signed = right.is_signed(self.key, &authorization.signature, self.tolerance);
        in_body_hash(right.hash, self.request.body, is_signed)
    }

    /// Finds the mistake in the form of the header, and another one if the rest is not right either.
    fn in_authorization(&self, limit: usize) -> Option<Found> {
        let limit = limit.checked_sub(1)?;
        let header = self.request.authorization?.trim();
        let (mistake, repaired) = without_credential(header).or_else(|| with_scheme(header))?;
        let repaired = Refused {
            request: SignedRequest {
                authorization: Some(&repaired),
                ..self.request
            },
            ..*self
        };
        let Err(error) = verify(&repaired.request, self.key, self.now, self.tolerance) else {
            return Some(Found::of(mistake));
        };
        Some(repaired.find(&error, limit).unwrap_or_default().after(mistake))
    }

    /// Adds a mistake in the signature to one in a header, if the signature is not right for that header.
    fn and_in_signature(&self, mistake: Mistake, limit: usize) -> Option<Found> {
        let (authorization, right) = self.right()?;
        if right.is_signed(self.key, &authorization.signature, self.tolerance) {
            return Some(Found {
                mistakes: vec![mistake],
                signed: Some(right.to_string()),
            });
        }
        let other = self.in_signature(limit.checked_sub(1)?);
        Some(other.unwrap_or_default().after(mistake))
    }

    /// Finds the mistakes in the signed string, in the key and in the form of the signature, and as few as possible.
    fn in_signature(&self, limit: usize) -> Option<Found> {
        let (authorization, right) = self.right()?;
        let draft = Draft::of(right);
        let changes = changes(&self.request, &draft);
        let keys: Vec<_> = once((None, self.key.clone()))
            .chain(mistaken_keys(self.key, &draft.host).map(|(mistake, key)| (Some(mistake), key)))
            .collect();
        let hex = decode_hex(&BASE64_STANDARD.encode(&authorization.signature));
        let hex = hex.map(|bytes| (Some(Mistake::HexSignature), bytes));
        let signatures: Vec<_> = once((None, authorization.signature)).chain(hex).collect();
        (1..=limit).find_map(|count| {
            changed(&draft, &changes, count).find_map(|(mistakes, message)| {
                let of_key = keys.iter().find_map(|(in_key, key)| {
                    let mut found = signatures.iter().filter_map(|(in_signature, signature)| {
                        let others = in_key.iter().chain(in_signature);
                        let mistakes: Vec<_> = mistakes.iter().chain(others).copied().collect();
                        (mistakes.len() == count && key.has_signed(&message, signature)).then_some(mistakes)
                    });
                    found.next()
                });
                of_key.map(|mistakes| Found {
                    mistakes,
                    signed: Some(message),
                })
            })
        })
    }
}

impl Found {
    fn of(mistake: Mistake) -> Self {
        Self {
            mistakes: vec![mistake],
            signed: None,
        }
    }

    fn after(mut self, mistake: Mistake) -> Self {
        self.mistakes.insert(0, mistake);
        self
    }
}

/// The header without the parameter that Azure App Configuration has.
fn without_credential(header: &str) -> Option<(Mistake, String)> {
    let (scheme, parameters) = header.split_once(' ').unwrap_or(("", header));
    let (credential, others): (Vec<_>, Vec<_>) = parameters
        .split(['&', ','])
        .map(str::trim)
        .partition(|parameter| parameter.starts_with("Credential="));
    let repaired = format!("{scheme} {}", others.join("&"));
    (!credential.is_empty()).then(|| (Mistake::CredentialParameter, repaired.trim_start().to_owned()))
}

/// The header with its scheme.
fn with_scheme(header: &str) -> Option<(Mistake, String)> {
    let lacks_scheme = header.starts_with("SignedHeaders=") || header.starts_with("Signature=");
    lacks_scheme.then(|| (Mistake::SchemeLeftOut, format!("HMAC-SHA256 {header}")))
}

/// The parts of a string that a client may have signed.
#[derive(Clone)]
struct Draft {
    method: String,
    target: String,
    date: String,
    host: String,
    hash: String,
    separator: &'static str,
    end: &'static str,
}

/// A change of one part.
enum Change {
    Method(String),
    Target(String),
    Date(String),
    Host(String),
    Hash(String),
    Separator(&'static str),
    End(&'static str),
}

impl Draft {
    fn of(right: StringToSign<'_>) -> Self {
        Self {
            method: right.method.to_owned(),
            target: right.target.to_owned(),
            date: right.date.to_owned(),
            host: right.host.to_owned(),
            hash: right.hash.to_owned(),
            separator: ";",
            end: "",
        }
    }

    fn with(&self, changes: &[&Change]) -> String {
        let mut draft = self.clone();
        for change in changes {
            match change {
                Change::Method(method) => draft.method.clone_from(method),
                Change::Target(target) => draft.target.clone_from(target),
                Change::Date(date) => draft.date.clone_from(date),
                Change::Host(host) => draft.host.clone_from(host),
                Change::Hash(hash) => draft.hash.clone_from(hash),
                Change::Separator(separator) => draft.separator = separator,
                Change::End(end) => draft.end = end,
            }
        }
        let Self {
            method,
            target,
            date,
            host,
            hash,
            separator,
            end,
        } = draft;
        format!("{method}\n{target}\n{date}{separator}{host}{separator}{hash}{end}")
    }
}

/// The string with up to `count` of the changes, each of another part, and their mistakes.
fn changed<'a>(
    draft: &'a Draft,
    changes: &'a [(Mistake, Change)],
    count: usize,
) -> impl Iterator<Item = (Vec<Mistake>, String)> + 'a {
    let none = once((Vec::new(), draft.with(&[])));
    let one = changes
        .iter()
        .map(|(mistake, change)| (vec![*mistake], draft.with(&[change])));
    let pairs = changes.iter().enumerate().flat_map(move |(index, (first, change))| {
        let others = changes.iter().skip(index + 1);
        let of_another_part = others.filter(move |(_, other)| discriminant(other) != discriminant(change));
        of_another_part.map(move |(second, other)| (vec![*first, *second], draft.with(&[change, other])))
    });
    none.chain(one).chain(pairs.take_while(move |_| count > 1))
}

/// The changes that clients make by mistake.
fn changes(request: &SignedRequest<'_>, right: &Draft) -> Vec<(Mistake, Change)> {
    let mut changes = vec![
        (
            Mistake::LowerCaseVerb,
            Change::Method(right.method.to_ascii_lowercase()),
        ),
        (Mistake::HexBodyHash, Change::Hash(hex_hash(request.body))),
        (Mistake::JoinedByLineBreaks, Change::Separator("\n")),
        (Mistake::JoinedByLineBreaks, Change::Separator("\r\n")),
        (Mistake::TrailingNewline, Change::End("\n")),
    ];
    let hosts = mistaken_hosts(&right.host).into_iter();
    changes.extend(hosts.map(|(mistake, host)| (mistake, Change::Host(host))));
    let targets = mistaken_targets(&right.target, &right.host).into_iter();
    changes.extend(targets.map(|(mistake, target)| (mistake, Change::Target(target))));
    let of_date_header = request.date.map(|date| (Mistake::DateHeader, date.to_owned()));
    let sent = [Some(right.date.as_str()), request.date];
    let sent = sent.into_iter().flatten().find_map(dates::parse_http_date);
    let dates = of_date_header.into_iter().chain(sent.into_iter().flat_map(other_dates));
    changes.extend(dates.map(|(mistake, date)| (mistake, Change::Date(date))));
    changes
}

fn mistaken_hosts(host: &str) -> Vec<(Mistake, String)> {
    let mut hosts = vec![(Mistake::TrailingSlashInHost, format!("{host}/"))];
    for scheme in ["http", "https"] {
        for end in ["", "/"] {
            hosts.push((Mistake::SchemeInHost, format!("{scheme}://{host}{end}")));
        }
    }
    if let Ok(authority) = host.parse::<Authority>()
        && let Some(port) = authority.port()
    {
        hosts.push((Mistake::PortLeftOut, authority.host().to_owned()));
        hosts.push((Mistake::PortDoubled, format!("{host}:{port}")));
    }
    hosts
}

/// The characters that `encodeURIComponent` and its like encode.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The same, but those that separate the parameters of a query.
const ENCODED_VALUES: &AsciiSet = &ENCODED.remove(b'=').remove(b'&');

fn mistaken_targets(target: &str, host: &str) -> Vec<(Mistake, String)> {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let rest = query.map(|query| format!("?{query}")).unwrap_or_default();
    let mut targets = vec![(Mistake::DecodedPath, format!("{decoded}{rest}"))];
    for scheme in ["http", "https"] {
        targets.push((Mistake::AbsoluteUrl, format!("{scheme}://{host}{target}")));
    }
    if let Some(query) = query {
        targets.push((Mistake::QueryLeftOut, path.to_owned()));
        let decoded = percent_decode_str(query).decode_utf8_lossy();
        for decoded in [decoded.replace('+', " "), decoded.into_owned()] {
            targets.push((Mistake::DecodedQuery, format!("{path}?{decoded}")));
        }
        for set in [ENCODED, ENCODED_VALUES] {
            let encoded = utf8_percent_encode(query, set).to_string();
            targets.push((Mistake::EncodedQuery, format!("{path}?{encoded}")));
        }
    }
    // What is the same by chance is not a mistake.
    targets.retain(|(_, changed)| changed != target);
    targets
}

/// A date in the forms that clients write by mistake.
fn other_dates(date: OffsetDateTime) -> Vec<(Mistake, String)> {
    let other = dates::other_forms(date).map(|form| (Mistake::OtherDateForm, form));
    let mut forms = vec![
        (Mistake::Rfc850Date, dates::format_rfc_850(date)),
        (Mistake::TwoDigitYear, dates::format_two_digit_year(date)),
    ];
    forms.extend(other);
    forms
}

/// The mistake in a date that is not of the documented form.
fn form_of_date(text: &str) -> Option<Mistake> {
    let parts: Vec<_> = text.split([' ', ',', '-']).filter(|part| !part.is_empty()).collect();
    if let [weekday, day, month, year, time, zone] = parts.as_slice() {
        let weekday = weekday.get(..3).unwrap_or(weekday);
        let century = if year.len() == 2 { "20" } else { "" };
        let expanded = format!("{weekday}, {day:0>2} {month} {century}{year} {time} {zone}");
        if dates::parse_http_date(&expanded).is_some() {
            return Some(match (text.contains('-'), year.len()) {
                (true, _) => Mistake::Rfc850Date,
                (false, 2) => Mistake::TwoDigitYear,
                (false, _) => Mistake::OtherDateForm,
            });
        }
    }
    dates::is_of_other_form(text).then_some(Mistake::OtherDateForm)
}

/// The keys that clients use by mistake: the text of the key, alone or with what stands around it, as bytes or decoded.
fn mistaken_keys(key: &AccessKey, host: &str) -> impl Iterator<Item = (Mistake, AccessKey)> {
    let base64 = key.as_base64().to_owned();
    let around = |before: &str, after: &str| format!("{before}{base64}{after}");
    let mut texts = vec![
        (Mistake::UndecodedKey, around("", "")),
        (Mistake::KeyWithPrefix, around("accesskey=", "")),
        (Mistake::QuotedKey, around("\"", "\"")),
        (Mistake::QuotedKey, around("'", "'")),
    ];
    for scheme in ["https", "http"] {
        for end in ["/", ""] {
            let before = format!("endpoint={scheme}://{host}{end};accesskey=");
            texts.push((Mistake::ConnectionStringAsKey, around(&before, "")));
        }
    }
    for (before, after) in [("", "\n"), ("", "\r\n"), ("", " "), (" ", ""), (" ", " "), ("", "\t")] {
        texts.push((Mistake::KeyWithWhiteSpace, around(before, after)));
    }
    texts.into_iter().flat_map(|(mistake, text)| {
        let decoded = if mistake == Mistake::UndecodedKey {
            Vec::new()
        } else {
            leniently_decoded(&text)
        };
        let bytes = once(text.into_bytes()).chain(decoded);
        bytes.map(move |bytes| (mistake, AccessKey::of_bytes(&bytes)))
    })
}

/// The bytes that decoders return which pass over what is not base64, as PHP's does, or stop at the first `=`, as that of
/// Node.js does.
fn leniently_decoded(text: &str) -> Vec<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let decoder = GeneralPurpose::new(&STANDARD, config);
    let is_base64 = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let all: String = text.chars().filter(is_base64).collect();
    let to_padding: String = text.chars().take_while(|c| *c != '=').filter(is_base64).collect();
    let texts = [all, to_padding].into_iter();
    let bytes = texts.map(|mut text| {
        // A single letter at the end has too few bits for a byte.
        if text.len() % 4 == 1 {
            text.pop();
        }
        decoder.decode(text)
    });
    bytes.filter_map(Result::ok).collect()
}

/// The largest offset of a time zone from UTC.
const MAX_OFFSET: Duration = Duration::hours(14);
/// Offsets of time zones are multiples of this, but for a few.
const OFFSET_STEP: Duration = Duration::minutes(30);
/// The difference of clocks within which a date is still taken for local time.
const OFFSET_SLACK: Duration = Duration::seconds(60);

/// Returns whether a date is off by the offset of a time zone.
fn is_local_time(ahead: Duration) -> bool {
    let ahead = ahead.abs().whole_seconds();
    let beyond = ahead % OFFSET_STEP.whole_seconds();
    let slack = OFFSET_SLACK.whole_seconds();
    let near = beyond <= slack || beyond >= OFFSET_STEP.whole_seconds() - slack;
    near && ahead <= MAX_OFFSET.whole_seconds() + slack
}

/// The mistake in the body hash. `is_signed` is true if the signature is right for the hash that was sent.
fn in_body_hash(sent: &str, body: &[u8], is_signed: bool) -> Option<Mistake> {
    if sent.eq_ignore_ascii_case(&hex_hash(body)) {
        return Some(Mistake::HexBodyHash);
    }
    let has_hash = |form: &[u8]| content_hash(form) == sent;
    let text = str::from_utf8(body).ok();
    let reserialised = text.and_then(json_whitespace::other_forms);
    if reserialised.is_some_and(|forms| forms.iter().any(|form| has_hash(form.as_bytes()))) {
        return Some(Mistake::ReserialisedBody);
    }
    if other_charsets(body).iter().any(|form| has_hash(form)) {
        return Some(Mistake::OtherCharset);
    }
    is_signed.then_some(Mistake::OtherBody)
}

/// A body in the character sets that clients hash by mistake, or of which they send another.
fn other_charsets(body: &[u8]) -> Vec<Vec<u8>> {
    let Ok(text) = str::from_utf8(body) else {
        // Latin 1, of which the UTF-8 was hashed.
        return vec![body.iter().copied().map(char::from).collect::<String>().into_bytes()];
    };
    let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let latin_1: Option<Vec<_>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    // .NET's ASCII has question marks in place of other characters.
    let ascii = text.chars().map(|c| if c.is_ascii() { c } else { '?' });
    let mut forms = vec![
        [b"\xef\xbb\xbf", body].concat(),
        [b"\xff\xfe", little.as_slice()].concat(),
        [b"\xfe\xff", big.as_slice()].concat(),
        little,
        big,
        ascii.collect::<String>().into_bytes(),
    ];
    forms.extend(latin_1);
    forms
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
