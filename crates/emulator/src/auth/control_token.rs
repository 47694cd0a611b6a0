//! The secret that opens the control surface to other machines.

use crate::auth::redaction::redact;
use aws_lc_rs::{constant_time::verify_slices_are_equal, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    borrow::Cow,
    error::Error,
    fmt::{self, Debug, Display, Formatter},
    str::FromStr,
};

/// The control token. `Debug` does not show it.
pub(crate) struct ControlToken(String);

impl ControlToken {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the value of an `Authorization` header has the token: as a bearer token, or as the password of any
    /// user, which a browser asks for.
    pub(crate) fn authorizes(&self, authorization: &str) -> bool {
        let Some((scheme, given)) = authorization.split_once(' ') else {
            return false;
        };
        let given = given.trim();
        if scheme.eq_ignore_ascii_case("Bearer") {
            return self.is(given.as_bytes());
        }
        let credentials = scheme
            .eq_ignore_ascii_case("Basic")
            .then(|| BASE64_STANDARD.decode(given).ok())
            .flatten();
        credentials.is_some_and(|credentials| {
            let mut parts = credentials.splitn(2, |byte| *byte == b':').skip(1);
            parts.next().is_some_and(|password| self.is(password))
        })
    }

    /// Compares digests in constant time, so that the time says nothing about the length either.
    fn is(&self, given: &[u8]) -> bool {
        let hash = |text: &[u8]| digest::digest(&digest::SHA256, text);
        verify_slices_are_equal(hash(self.0.as_bytes()).as_ref(), hash(given).as_ref()).is_ok()
    }

    /// Redacts the token in a text of a request.
    pub(crate) fn redact<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        redact(text, &self.0)
    }
}

impl FromStr for ControlToken {
    type Err = InvalidControlToken;

    /// Reads a token of the characters of RFC 6750, without the white space around it.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let token = text.trim();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if token.is_empty() || !token.bytes().all(is_allowed) {
            return Err(InvalidControlToken);
        }
        Ok(Self(token.to_owned()))
    }
}

impl Debug for ControlToken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("ControlToken([redacted])")
    }
}

/// The text cannot be sent as a bearer token. The error does not contain the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidControlToken;

impl Display for InvalidControlToken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the control token is empty, or has other characters than letters, digits and `-._~+/=`: generate one, as with \
             `openssl rand -hex 16`",
        )
    }
}

impl Error for InvalidControlToken {}
