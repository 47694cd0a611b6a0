//! Explanations of refused requests.

use crate::auth::{
    redaction::Secrets,
    signature::{
        AccessKey, Mistake, SignatureError, SignedRequest, Tolerance,
        detection::{Found, Refused},
        string_to_sign::content_hash,
        verify::{Authorization, DateHeader, verify},
    },
};
use std::{
    borrow::Cow,
    cmp::Reverse,
    fmt::{self, Display, Formatter},
};
use time::OffsetDateTime;

/// The reason why a request is refused, and the remedy.
///
/// `Display` is one line: the part that differs, the mistake, the remedy in one sentence, the string to sign, and the
/// string that the client signed. It contains neither the access key nor a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    error: SignatureError,
    mistakes: Vec<Mistake>,
    string_to_sign: String,
    signed_instead: Option<String>,
}

/// Explains why [`verify()`] refuses `request`; `None` if it does not.
///
/// It compares the signature with those of known mistakes, and names the mistake that gives it.
///
/// ```
/// use acs_identity_emulator::signature::{AccessKey, Mistake, SignedRequest, Tolerance, explain};
/// use time::macros::datetime;
///
/// let key: AccessKey = "bG9jYWwtZW11bGF0b3ItdGVzdC1rZXktMzItYnl0ZXM=".parse()?;
/// let request = SignedRequest {
///     method: "POST",
///     target: "/identities?api-version=2023-10-01",
///     host: Some("localhost:8443"),
///     x_ms_date: Some("Sat, 01 Aug 2026 00:00:00 GMT"),
///     date: None,
///     content_sha256: Some("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="),
///     authorization: Some(
///         "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256\
///          &Signature=ADea6itoH23CxQjaUQgDiFo/KOKhAk7r2NnvY3EdnV4=",
///     ),
///     body: b"",
/// };
/// let now = datetime!(2026-08-01 00:00:00 UTC);
///
/// let Some(explanation) = explain(&request, &key, now, Tolerance::default()) else {
///     return Err("it is not refused".into());
/// };
/// assert_eq!(explanation.mistake(), Some(Mistake::TrailingSlashInHost));
/// assert_eq!(
///     explanation.to_string(),
///     "host: the signature is right for the host with a slash at its end. Sign the host without the endpoint's \
///      trailing slash. The string to sign is `POST\\n/identities?api-version=2023-10-01\\n\
///      Sat, 01 Aug 2026 00:00:00 GMT;localhost:8443;47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=`. The client signed \
///      `POST\\n/identities?api-version=2023-10-01\\n\
///      Sat, 01 Aug 2026 00:00:00 GMT;localhost:8443/;47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=`.",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn explain(
    request: &SignedRequest<'_>,
    key: &AccessKey,
    now: OffsetDateTime,
    tolerance: Tolerance,
) -> Option<Explanation> {
    explain_for_any(request, &[key], None, now, tolerance)
}

/// Explains a request to a resource with several keys, all of them redacted, as is another secret. Of the explanations by
/// each key, the most precise is returned, and the first of equal ones.
pub(crate) fn explain_for_any(
    request: &SignedRequest<'_>,
    keys: &[&AccessKey],
    other_secret: Option<&str>,
    now: OffsetDateTime,
    tolerance: Tolerance,
) -> Option<Explanation> {
    let secrets = keys.iter().map(|key| key.as_base64()).chain(other_secret);
    let secrets = Secrets::new(secrets, request.authorization);
    let precision = |explanation: &Explanation| {
        (
            !explanation.mistakes.is_empty(),
            explanation.signed_instead.is_some(),
            Reverse(explanation.mistakes.len()),
        )
    };
    let mut best: Option<Explanation> = None;
    for key in keys {
        let explanation = explain_for(request, key, &secrets, now, tolerance)?;
        if best
            .as_ref()
            .is_none_or(|best| precision(best) < precision(&explanation))
        {
            best = Some(explanation);
        }
        // No other key gives the signature too, and to try takes time.
        if best.as_ref().is_some_and(|best| best.signed_instead.is_some()) {
            break;
        }
    }
    best
}

fn explain_for(
    request: &SignedRequest<'_>,
    key: &AccessKey,
    secrets: &Secrets<'_>,
    now: OffsetDateTime,
    tolerance: Tolerance,
) -> Option<Explanation> {
    let error = verify(request, key, now, tolerance).err()?;
    let authorization = request
        .authorization
        .and_then(|header| Authorization::parse(header).ok());
    let request = &SignedRequest {
        x_ms_date: to_be_signed(request, authorization.as_ref(), tolerance),
        ..*request
    };
    let string_to_sign = format!(
        r"{}\n{}\n{};{};{}",
        secrets.header(Some(request.method)),
        secrets.target(request.target),
        secrets.header(request.x_ms_date),
        secrets.header(request.host),
        content_hash(request.body),
    );
    let refused = Refused {
        request: *request,
        key,
        now,
        tolerance,
    };
    let Found { mistakes, signed } = refused.mistakes(&error);
    let signed_instead = signed.map(|signed| secrets.string_to_sign(&signed));
    Some(Explanation {
        mistakes,
        error,
        signed_instead: signed_instead.filter(|signed| *signed != string_to_sign),
        string_to_sign,
    })
}

/// The date that the client must sign.
fn to_be_signed<'a>(
    request: &SignedRequest<'a>,
    authorization: Option<&Authorization>,
    tolerance: Tolerance,
) -> Option<&'a str> {
    let is_date_listed = authorization.is_some_and(|authorization| authorization.date_header == DateHeader::Date);
    if is_date_listed && tolerance == Tolerance::OfficialClients {
        request.date
    } else {
        request.x_ms_date
    }
}

impl Explanation {
    /// The error of [`verify()`].
    #[must_use]
    pub fn error(&self) -> &SignatureError {
        &self.error
    }

    /// The known mistake that explains the request, the first if there are two; `None` if there is no such mistake.
    #[must_use]
    pub fn mistake(&self) -> Option<Mistake> {
        self.mistakes.first().copied()
    }

    /// The known mistakes that explain the request: one, two that come together, or none.
    #[must_use]
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }

    /// The part that differs, the first if there are two: `Authorization`, `date`, `host`, `path`, `query`, `verb`, `body hash`, `key`,
    /// `signature` or `string to sign`; or the missing header.
    #[must_use]
    pub fn part(&self) -> &'static str {
        match (self.mistake(), &self.error) {
            (Some(mistake), _) => mistake.part(),
            (None, SignatureError::MissingHeader(name)) => name,
            (None, SignatureError::MalformedAuthorization | SignatureError::UnsupportedSignedHeaders) => {
                "Authorization"
            }
            (None, SignatureError::MalformedDate | SignatureError::ClockSkew { .. }) => "date",
            (None, SignatureError::BodyHashMismatch) => "body hash",
            (None, SignatureError::SignatureMismatch) => "signature",
        }
    }

    /// The remedy, in one sentence.
    #[must_use]
    pub fn remedy(&self) -> Cow<'static, str> {
        if let [first, second] = self.mistakes.as_slice() {
            let (first, second) = (first.remedy().trim_end_matches('.'), second.remedy());
            if first == second.trim_end_matches('.') {
                return second.into();
            }
            let mut letters = second.chars();
            let begin = letters.next().map(|letter| letter.to_ascii_lowercase());
            let second: String = begin.into_iter().chain(letters).collect();
            return format!("{first}; {second}").into();
        }
        let remedy = match (self.mistake(), &self.error) {
            (Some(mistake), _) => mistake.remedy(),
            (None, SignatureError::MissingHeader("Authorization") | SignatureError::MalformedAuthorization) => {
                "Send `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=` and the signature in \
                 padded base64."
            }
            (None, SignatureError::MissingHeader(name)) => {
                return format!("Send the header {name} with the value that was signed.").into();
            }
            (None, SignatureError::UnsupportedSignedHeaders) => {
                "List `x-ms-date;host;x-ms-content-sha256`, and sign their values in this order."
            }
            (None, SignatureError::MalformedDate) => {
                "Write the date in UTC as in `Sat, 01 Aug 2026 00:00:00 GMT`, with two digits for the day."
            }
            (None, SignatureError::ClockSkew { .. }) => "Set the client's clock, and sign each attempt anew.",
            (None, SignatureError::BodyHashMismatch) => "Send the SHA-256 of the very bytes of the body, in base64.",
            (None, SignatureError::SignatureMismatch) => {
                "Compare the string that the client signs with this one, and if they are equal, the access keys."
            }
        };
        remedy.into()
    }

    /// The string to sign that follows from the request, for a person to compare: a newline is written as `\n`, long
    /// values are cut, and of the query only the api-version is shown.
    #[must_use]
    pub fn string_to_sign(&self) -> &str {
        &self.string_to_sign
    }

    /// The string that the client signed in its place, written in the same way; `None` if it is the same or not known.
    #[must_use]
    pub fn signed_instead(&self) -> Option<&str> {
        self.signed_instead.as_deref()
    }
}

impl Display for Explanation {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let [first, second] = self.mistakes.as_slice() {
            let (part, other) = (first.part(), second.part());
            write!(f, "{part}")?;
            if other != part {
                write!(f, " and {other}")?;
            }
            write!(f, ": two mistakes come together: {first}; {second}")?;
            return self.fmt_strings(f);
        }
        write!(f, "{}: ", self.part())?;
        match (self.mistake(), &self.error) {
            (Some(Mistake::LocalTime), error) => write!(f, "{error}; {}", Mistake::LocalTime)?,
            (Some(mistake), _) => write!(f, "{mistake}")?,
            (None, SignatureError::SignatureMismatch) => {
                write!(f, "{}; no known mistake gives it", self.error)?;
            }
            // Where the part is a header, the error would name it again.
            (None, SignatureError::MissingHeader(_)) => f.write_str("the header is missing")?,
            (None, SignatureError::MalformedAuthorization) => {
                f.write_str("it is not `HMAC-SHA256 SignedHeaders=...&Signature=<base64>`")?;
            }
            (None, error) => write!(f, "{error}")?,
        }
        self.fmt_strings(f)
    }
}

impl Explanation {
    /// Writes the remedy and the strings to sign.
    fn fmt_strings(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            ". {} The string to sign is `{}`.",
            self.remedy(),
            self.string_to_sign
        )?;
        match &self.signed_instead {
            Some(signed) => write!(f, " The client signed `{signed}`."),
            None => Ok(()),
        }
    }
}
