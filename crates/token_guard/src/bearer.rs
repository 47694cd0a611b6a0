//! The bearer token of a request.

use crate::error::GuardError;
use std::{fmt, sync::Arc};
use zeroize::Zeroizing;

/// The longest token that is accepted, in bytes. The largest tokens of Entra ID, with 200 groups, have half of this.
pub(crate) const MAX_TOKEN_LEN: usize = 16 * 1024;

/// The token of a request, for calls on behalf of the caller such as the on-behalf-of flow.
///
/// `Debug` never shows it, and it is overwritten in memory when the last clone is dropped.
///
/// # Examples
///
/// ```
/// use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
/// use token_guard::BearerToken;
///
/// let mut headers = HeaderMap::new();
/// headers.insert(AUTHORIZATION, HeaderValue::from_static("bearer eyJhbGciOi"));
/// let token = BearerToken::from_headers(&headers)?;
/// assert_eq!(token.secret(), "eyJhbGciOi");
/// assert_eq!(format!("{token:?}"), "BearerToken");
/// # Ok::<(), token_guard::GuardError>(())
/// ```
#[derive(Clone)]
pub struct BearerToken(Arc<Zeroizing<String>>);

impl BearerToken {
    /// Extracts the token from the `Authorization` header. Does not check the token.
    ///
    /// The request must have one such header: the scheme `Bearer` in any case, spaces, and a token with the syntax of
    /// [RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-2.1) and at most 16 KiB.
    ///
    /// # Errors
    ///
    /// [`GuardError::HeaderMissing`], [`GuardError::InvalidFormat`] or [`GuardError::TypeNotSupported`].
    pub fn from_headers(headers: &http::HeaderMap) -> Result<Self, GuardError> {
        let values = headers.get_all(http::header::AUTHORIZATION).into_iter();
        Self::from_values(values.map(http::HeaderValue::as_bytes))
    }

    /// Extracts the token from all values of the `Authorization` header.
    pub(crate) fn from_values<'a>(mut values: impl Iterator<Item = &'a [u8]>) -> Result<Self, GuardError> {
        let value = trim(values.next().unwrap_or_default());
        if values.next().is_some() {
            return Err(GuardError::InvalidFormat);
        }
        if value.is_empty() {
            return Err(GuardError::HeaderMissing);
        }
        let space = value
            .iter()
            .position(|byte| *byte == b' ')
            .ok_or(GuardError::InvalidFormat)?;
        let (scheme, token) = value.split_at(space);
        if !scheme.eq_ignore_ascii_case(b"Bearer") {
            return Err(GuardError::TypeNotSupported);
        }
        let token = trim(token);
        if token.len() > MAX_TOKEN_LEN || !is_token(token) {
            return Err(GuardError::InvalidFormat);
        }
        let token = str::from_utf8(token).map_err(|_| GuardError::InvalidFormat)?;
        Ok(Self::new(token))
    }

    pub(crate) fn new(token: &str) -> Self {
        Self(Arc::new(Zeroizing::new(token.to_owned())))
    }

    /// Returns the token. Send it only to services that act for the caller, over TLS.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken")
    }
}

/// Removes the spaces around a value. A tab stays, and makes the value invalid.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ', rest @ ..] | [rest @ .., b' '] = value {
        value = rest;
    }
    value
}

/// Returns whether this is a `b64token`: `1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`.
fn is_token(token: &[u8]) -> bool {
    let end = token.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    let (characters, _) = token.split_at(end);
    !characters.is_empty()
        && characters
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The values of the header, and the token or the code of the error.
    type Case<'a> = (&'a [&'a [u8]], Result<&'a str, &'a str>);

    fn extract(values: &[&[u8]]) -> Result<String, GuardError> {
        BearerToken::from_values(values.iter().copied()).map(|token| token.secret().to_owned())
    }

    #[test]
    fn token_or_error_by_header_values() {
        const MISSING: &str = "auth.authorization_header_missing";
        const FORMAT: &str = "auth.authorization_token_invalid_format";
        const TYPE: &str = "auth.authorization_token_type_not_supported";
        let longest = format!("Bearer {}", "a".repeat(16 * 1024));
        let too_long = format!("{longest}a");
        let cases: &[Case<'_>] = &[
            (&[], Err(MISSING)),
            (&[b""], Err(MISSING)),
            (&[b"   "], Err(MISSING)),
            (&[b"Bearer a.b.c"], Ok("a.b.c")),
            (&[b"bearer a.b.c"], Ok("a.b.c")),
            (&[b"BEARER a.b.c"], Ok("a.b.c")),
            (&[b"  Bearer   a.b.c  "], Ok("a.b.c")),
            (&[b"Bearer AZaz09-._~+/=="], Ok("AZaz09-._~+/==")),
            (&[longest.as_bytes()], Ok(&longest[7..])),
            (&[too_long.as_bytes()], Err(FORMAT)),
            (&[b"Bearer"], Err(FORMAT)),
            (&[b"Bearer "], Err(FORMAT)),
            (&[b"a.b.c"], Err(FORMAT)),
            (&[b"Basic"], Err(FORMAT)),
            (&[b"Bearer a b"], Err(FORMAT)),
            (&[b"Bearer\ta.b.c"], Err(FORMAT)),
            (&[b"Bearer \ta.b.c"], Err(FORMAT)),
            (&[b"Bearer a.b.c, Bearer d.e.f"], Err(FORMAT)),
            (&[b"Bearer a.b.c,"], Err(FORMAT)),
            (&[b"Bearer \"a.b.c\""], Err(FORMAT)),
            (&[b"Bearer =="], Err(FORMAT)),
            (&[b"Bearer a=b"], Err(FORMAT)),
            (&[b"Bearer na\xc3\xafve"], Err(FORMAT)),
            (&[b"Bearer na\xefve"], Err(FORMAT)),
            (&[b"Bearer a.b.c", b"Bearer a.b.c"], Err(FORMAT)),
            (&[b"Bearer a.b.c", b""], Err(FORMAT)),
            (&[b"", b"Bearer a.b.c"], Err(FORMAT)),
            (&[b"Basic dXNlcjpwYXNz"], Err(TYPE)),
            (&[b"DPoP a.b.c"], Err(TYPE)),
            (&[b"Digest username=\"a\", realm=\"b\""], Err(TYPE)),
            (&[b"Bearers a.b.c"], Err(TYPE)),
            (&[b"B\xc3\xa9arer a.b.c"], Err(TYPE)),
        ];
        for (values, expected) in cases {
            let shown: Vec<_> = values.iter().map(|value| String::from_utf8_lossy(value)).collect();
            let outcome = extract(values);
            let outcome = outcome.as_ref().map(String::as_str).map_err(GuardError::code);
            assert_eq!(outcome, *expected, "{shown:?}");
        }
    }

    proptest! {
        #[test]
        fn extracted_token_has_valid_syntax(values in prop::collection::vec(any::<Vec<u8>>(), 0..3)) {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            if let Ok(token) = extract(&values) {
                prop_assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic()));
            }
        }

        #[test]
        fn scheme_ignores_case(
            scheme in "[Bb][Ee][Aa][Rr][Ee][Rr]",
            spaces in " {1,5}",
            token in "[A-Za-z0-9._~+/-]{1,200}={0,2}",
        ) {
            let value = format!("{scheme}{spaces}{token}");
            prop_assert_eq!(extract(&[value.as_bytes()]).unwrap(), token);
        }

        #[test]
        fn character_outside_the_syntax_refused(
            before in "[A-Za-z0-9._~+/-]{0,20}",
            stranger in "[^A-Za-z0-9._~+/= -]",
            after in "[A-Za-z0-9._~+/-]{0,20}",
        ) {
            let value = format!("Bearer {before}{stranger}{after}");
            prop_assert_eq!(extract(&[value.as_bytes()]).unwrap_err().code(), GuardError::InvalidFormat.code());
        }
    }
}
