//! Known mistakes of clients that sign a request.

use std::fmt::{self, Display, Formatter};

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
    /// Date, host and body hash are joined by line breaks, not by semicolons.
    JoinedByLineBreaks,
    /// The signed path is the whole URL.
    AbsoluteUrl,
    /// The signed query is percent-encoded, or encoded once more.
    EncodedQuery,
    /// The signed query is percent-decoded.
    DecodedQuery,
    /// The date has the form of RFC 850: `Saturday, 01-Aug-26 00:00:00 GMT`.
    Rfc850Date,
    /// The year of the date has two digits.
    TwoDigitYear,
    /// The date has another form, such as that of ISO 8601 or RFC 2822, or is a number of seconds.
    OtherDateForm,
    /// The access key begins with `accesskey=`.
    KeyWithPrefix,
    /// The access key is the whole connection string.
    ConnectionStringAsKey,
    /// The access key is in quotes.
    QuotedKey,
    /// The access key has white space before or after it.
    KeyWithWhiteSpace,
    /// The body hash is that of the same text in another character set.
    OtherCharset,
    /// `Authorization` has the parameter `Credential`, as for Azure App Configuration.
    CredentialParameter,
    /// `Authorization` lacks the scheme `HMAC-SHA256`.
    SchemeLeftOut,
}

impl Mistake {
    /// The part of the request or of its signature that differs.
    pub(super) fn part(self) -> &'static str {
        match self {
            Self::TrailingSlashInHost | Self::SchemeInHost | Self::PortLeftOut | Self::PortDoubled => "host",
            Self::DecodedPath | Self::AbsoluteUrl => "path",
            Self::QueryLeftOut | Self::EncodedQuery | Self::DecodedQuery => "query",
            Self::LowerCaseVerb => "verb",
            Self::DateHeader | Self::LocalTime | Self::Rfc850Date | Self::TwoDigitYear | Self::OtherDateForm => "date",
            Self::UndecodedKey
            | Self::KeyWithPrefix
            | Self::ConnectionStringAsKey
            | Self::QuotedKey
            | Self::KeyWithWhiteSpace => "key",
            Self::HexSignature => "signature",
            Self::HexBodyHash | Self::ReserialisedBody | Self::OtherBody | Self::OtherCharset => "body hash",
            Self::TrailingNewline | Self::JoinedByLineBreaks => "string to sign",
            Self::CredentialParameter | Self::SchemeLeftOut => "Authorization",
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
            Self::JoinedByLineBreaks => "Join date, host and body hash by semicolons, on the third line.",
            Self::AbsoluteUrl => "Sign the path and query alone, without scheme and host.",
            Self::EncodedQuery | Self::DecodedQuery => "Sign the query as the request line has it.",
            Self::Rfc850Date | Self::TwoDigitYear | Self::OtherDateForm => {
                "Write the date as in `Sat, 01 Aug 2026 00:00:00 GMT`, and sign the very text that is sent."
            }
            Self::KeyWithPrefix => "Use the text after `accesskey=`, decoded from base64.",
            Self::ConnectionStringAsKey => {
                "Use the text after `accesskey=` in the connection string, decoded from base64."
            }
            Self::QuotedKey => "Use the access key without quotes, decoded from base64.",
            Self::KeyWithWhiteSpace => "Trim the access key, and decode it from base64.",
            Self::OtherCharset => "Encode the body as UTF-8 once, and hash and send these bytes.",
            Self::CredentialParameter => "Leave `Credential` out: the host names the resource.",
            Self::SchemeLeftOut => "Begin the header with `HMAC-SHA256` and a space.",
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
            Self::JoinedByLineBreaks => {
                "the signature is right for date, host and body hash joined by line breaks instead of semicolons"
            }
            Self::AbsoluteUrl => "the signature is right for the whole URL in place of the path and query",
            Self::EncodedQuery => "the signature is right for the query percent-encoded once more",
            Self::DecodedQuery => "the signature is right for the percent-decoded query",
            Self::Rfc850Date => "the date has the form of RFC 850, such as `Saturday, 01-Aug-26 00:00:00 GMT`",
            Self::TwoDigitYear => "the year of the date has two digits",
            Self::OtherDateForm => {
                "the date has another form than `Sat, 01 Aug 2026 00:00:00 GMT`, such as that of ISO 8601 or RFC 2822"
            }
            Self::KeyWithPrefix => "the signature is right for the access key with `accesskey=` before it",
            Self::ConnectionStringAsKey => "the signature is right for the whole connection string as the key",
            Self::QuotedKey => "the signature is right for the access key in quotes",
            Self::KeyWithWhiteSpace => "the signature is right for the access key with white space around it",
            Self::OtherCharset => "x-ms-content-sha256 is the hash of the received body in another character set",
            Self::CredentialParameter => "it has the parameter `Credential`, as Azure App Configuration asks for",
            Self::SchemeLeftOut => "it lacks the scheme `HMAC-SHA256`",
        })
    }
}
