//! The token of a caller of your API.

use crate::error::invalid_argument;
use azure_core::{Result, credentials::Secret};

/// The longest token that is sent, in bytes. Those of Entra ID have two or three thousand; the sidecar's server accepts
/// 32 KiB of headers in all.
const MAX_LEN: usize = 16 * 1024;

/// The token that a caller of your API sent. The sidecar validates and exchanges it.
///
/// Here only its characters and its length are checked. With the features `axum` and `actix`, it is an argument of handlers.
/// `Debug` omits the token.
///
/// # Examples
///
/// ```
/// use entra_sidecar::InboundToken;
///
/// # fn main() -> azure_core::Result<()> {
/// let token = InboundToken::from_header("Bearer eyJ0eXAiOiJKV1Qi.e30.c2ln")?;
/// assert!(!format!("{token:?}").contains("eyJ0"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InboundToken {
    scheme: Scheme,
    token: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Bearer,
    Pop,
}

impl InboundToken {
    /// Parses the value of an `Authorization` header: `Bearer <token>`, or `PoP <token>`, which the sidecar accepts since
    /// version 4.15.0, for [`validate`](crate::SidecarClient::validate) only.
    ///
    /// # Arguments
    ///
    /// * `value` - The value of the header, with the scheme in any case.
    ///
    /// # Errors
    ///
    /// The scheme is missing or another, or the rest is not a token. The error does not show it.
    pub fn from_header(value: &str) -> Result<Self> {
        let (scheme, token) = value.trim().split_once(' ').unwrap_or_default();
        let scheme = if scheme.eq_ignore_ascii_case("Bearer") {
            Scheme::Bearer
        } else if scheme.eq_ignore_ascii_case("PoP") {
            Scheme::Pop
        } else {
            return Err(invalid_argument(
                "the Authorization header is not of the form `Bearer <token>`",
            ));
        };
        Self::new(scheme, token.trim_start_matches(' ').to_owned().into())
    }

    /// Creates a bearer token from a text without its scheme.
    ///
    /// # Arguments
    ///
    /// * `token` - The token.
    ///
    /// # Errors
    ///
    /// The text is not a token. The error does not show it.
    pub fn bearer(token: impl Into<Secret>) -> Result<Self> {
        Self::new(Scheme::Bearer, token.into())
    }

    /// Returns the token without its scheme.
    #[must_use]
    pub fn token(&self) -> &Secret {
        &self.token
    }

    fn new(scheme: Scheme, token: Secret) -> Result<Self> {
        let text = token.secret();
        // `token68` of RFC 9110, section 11.2.
        let is_token = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte));
        if text.is_empty() || !is_token {
            return Err(invalid_argument(
                "the caller's token is empty, or has characters that no token has",
            ));
        }
        if text.len() > MAX_LEN {
            return Err(invalid_argument("the caller's token is longer than 16 KiB"));
        }
        Ok(Self { scheme, token })
    }

    /// Returns the value of the `Authorization` header.
    pub(crate) fn header_value(&self) -> String {
        let scheme = match self.scheme {
            Scheme::Bearer => "Bearer",
            Scheme::Pop => "PoP",
        };
        format!("{scheme} {}", self.token.secret())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn schemes_are_read_in_any_case() {
        for (value, expected) in [
            ("Bearer a.b-c_d~e+f/g==", "Bearer a.b-c_d~e+f/g=="),
            ("bearer   abc", "Bearer abc"),
            (" BEARER abc ", "Bearer abc"),
            ("pop abc", "PoP abc"),
        ] {
            assert_eq!(InboundToken::from_header(value).unwrap().header_value(), expected);
        }
    }

    #[test]
    fn other_texts_are_refused_and_not_shown() {
        for value in [
            "",
            "SECRET",
            "Bearer",
            "Bearer ",
            "Bearer: SECRET",
            "Basic SECRET",
            "Bearer SECRET SECRET",
            "Bearer SEC\r\nRET",
            "Bearer SECRET,",
            "Bearer SECRÉT",
            &format!("Bearer {}", "SECRET".repeat(3_000)),
        ] {
            let error = InboundToken::from_header(value).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("SEC"), "{error:?}");
        }
        assert!(InboundToken::bearer("Bearer abc").is_err());
        assert!(InboundToken::bearer("a".repeat(16_384)).is_ok());
        assert!(InboundToken::bearer("a".repeat(16_385)).is_err());
    }

    proptest! {
        #[test]
        fn headers_are_kept_or_refused_and_not_shown(
            scheme in prop::sample::select(vec!["", "Bearer ", "bearer  ", "PoP ", "Basic "]),
            rest in ".*",
        ) {
            let _ = InboundToken::from_header(&rest);
            let value = format!("{scheme}SECRET{rest}");
            match InboundToken::from_header(&value) {
                Ok(token) => {
                    let expected = format!("SECRET{rest}");
                    prop_assert_eq!(token.token().secret(), expected.trim_end());
                    prop_assert!(token.header_value().bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                }
                Err(error) => {
                    let shown = format!("{error} {error:?}");
                    prop_assert!(!shown.contains("SECRET"), "{}", shown);
                }
            }
        }
    }
}
