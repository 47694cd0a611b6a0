//! The token of a caller.

use crate::error::invalid_argument;
use azure_core::{Result, credentials::Secret};

/// The longest token that is passed on, in bytes. Those of Entra ID have two or three thousand; the sidecar's server takes
/// 32 KiB of headers in all.
const MAX_LEN: usize = 16 * 1024;

/// The token that a caller of your API sent, for the sidecar to check and to exchange.
///
/// It goes to the sidecar as it is; that it is well-formed is no sign that it is valid. With the features `axum` and
/// `actix` handlers can take it as an argument. `Debug` does not show it.
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
    /// Reads the value of an `Authorization` header: `Bearer <token>`, or `PoP <token>`, which the sidecar takes since
    /// version 4.15.0 in [`validate`](crate::SidecarClient::validate) only.
    ///
    /// # Arguments
    ///
    /// * `value` - The header's value. The scheme may be in any case.
    ///
    /// # Errors
    ///
    /// There is another scheme, or none, or what follows it is no token. The error does not show it.
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

    /// Takes a bearer token without its scheme.
    ///
    /// # Arguments
    ///
    /// * `token` - The token.
    ///
    /// # Errors
    ///
    /// It is no token. The error does not show it.
    pub fn bearer(token: impl Into<Secret>) -> Result<Self> {
        Self::new(Scheme::Bearer, token.into())
    }

    /// The token without its scheme.
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

    /// The value of the `Authorization` header.
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
    fn a_header_is_taken_with_any_case_and_number_of_spaces() {
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
    fn what_is_no_token_is_refused_without_being_shown() {
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
        fn any_header_is_read_as_it_is_or_refused_without_being_shown(
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
