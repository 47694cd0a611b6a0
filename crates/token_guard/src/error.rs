//! Why a request is refused.

use http::StatusCode;
use std::{
    error::Error,
    fmt::{self, Display, Formatter},
    sync::Arc,
    time::Duration,
};

/// Why a request is not let through, and what is answered to it.
///
/// As a response, it is `application/problem+json` ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)) with the member
/// `code`, and a `WWW-Authenticate` challenge ([RFC 6750](https://www.rfc-editor.org/rfc/rfc6750#section-3)) for 401 and
/// 403. No part of a token is in it, nor in its `Display` and `Debug`.
///
/// | error | status | code |
/// | --- | --- | --- |
/// | [`HeaderMissing`](Self::HeaderMissing) | 401 | `auth.authorization_header_missing` |
/// | [`InvalidFormat`](Self::InvalidFormat) | 401 | `auth.authorization_token_invalid_format` |
/// | [`TypeNotSupported`](Self::TypeNotSupported) | 401 | `auth.authorization_token_type_not_supported` |
/// | [`InvalidToken`](Self::InvalidToken) | 401 | `invalid_token` |
/// | [`Forbidden`](Self::Forbidden) | 403 | `auth.forbidden` |
/// | [`KeysUnavailable`](Self::KeysUnavailable) | 503 | `auth.keys_unavailable` |
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum GuardError {
    /// The request has no `Authorization` header, or an empty one.
    HeaderMissing,
    /// The request's `Authorization` header is not one scheme and one token.
    InvalidFormat,
    /// The `Authorization` header has another scheme than `Bearer`.
    TypeNotSupported,
    /// The token is not valid here.
    InvalidToken(TokenFault),
    /// The token is valid, but does not allow this.
    Forbidden(Denial),
    /// The issuer's keys cannot be had, so nothing can be said of the token.
    KeysUnavailable(KeysUnavailable),
}

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenFault {
    /// It is not a signed JWT. Logto issues those for a `resource` only, and opaque tokens otherwise.
    NotAJwt,
    /// Its header or its claims are not what a JWT has there.
    Malformed,
    /// Its header has `crit`, which demands an extension that is not supported.
    CriticalHeader,
    /// Its `typ` is not that of an access token.
    Type,
    /// Its `alg` is not the algorithm of the key that it names.
    Algorithm,
    /// It names a key that is not among the issuer's.
    UnknownKey,
    /// Its signature is not that of the key.
    Signature,
    /// It is another issuer's.
    Issuer,
    /// It is for another audience.
    Audience,
    /// It has no subject.
    Subject,
    /// It has expired, or has no expiry.
    Expired,
    /// It is not valid yet.
    NotYetValid,
    /// It is of Entra ID, and not an access token.
    NotAnAccessToken,
    /// It has `cnf`: it is only for who proves to have a key, which a bearer does not.
    SenderConstrained,
}

impl TokenFault {
    /// What is said of it to the caller.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::NotAJwt => "The token is not a signed JWT; ask the issuer for one for this API.",
            Self::Malformed => "The token is malformed.",
            Self::CriticalHeader => "The token demands an extension that is not supported.",
            Self::Type => "The token is not of the type of an access token.",
            Self::Algorithm => "The algorithm of the token is not that of its key.",
            Self::UnknownKey => "The token is signed with a key that its issuer does not have.",
            Self::Signature => "The signature of the token is not valid.",
            Self::Issuer => "The token is of another issuer.",
            Self::Audience => "The token is for another audience.",
            Self::Subject => "The token has no subject.",
            Self::Expired => "The token has expired.",
            Self::NotYetValid => "The token is not valid yet.",
            Self::NotAnAccessToken => "The token is not an access token.",
            Self::SenderConstrained => "The token is bound to a key of its sender, which is not supported.",
        }
    }
}

/// What a valid token does not allow.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// It lacks one of these scopes, all of which are needed.
    Scope(Vec<String>),
    /// It lacks one of these roles, all of which are needed.
    Role(Vec<String>),
    /// It is for another organisation, or for none where there has to be one, or for one where there has to be none.
    Organization,
    /// It is a user's, where it has to be that of an application which acts for none.
    Application,
    /// It is of Entra ID, and has neither a scope nor a role.
    NoPermission,
    /// It is for another audience, where that is
    /// [asked to be a 403](crate::TokenGuardBuilder::forbid_other_audiences).
    Audience,
}

impl Display for Denial {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scope(scopes) => write!(f, "The token has to have the scopes: {}.", scopes.join(" ")),
            Self::Role(roles) => write!(f, "The token has to have the roles: {}.", roles.join(" ")),
            Self::Organization => f.write_str("The token is not for this organization."),
            Self::Application => f.write_str("The token has to be that of an application which acts for no user."),
            Self::NoPermission => f.write_str("The token has neither a scope nor a role."),
            Self::Audience => f.write_str(TokenFault::Audience.description()),
        }
    }
}

/// The issuer's keys cannot be had. The [source](Error::source) of this error says why, for a log.
#[derive(Clone, Debug)]
pub struct KeysUnavailable {
    pub(crate) retry_after: Duration,
    pub(crate) source: Option<Arc<dyn Error + Send + Sync>>,
}

impl KeysUnavailable {
    /// When to try again: how long the guard waits until it asks the issuer again.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl GuardError {
    /// The status of the response: 401, 403 or 503.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::HeaderMissing | Self::InvalidFormat | Self::TypeNotSupported | Self::InvalidToken(_) => {
                StatusCode::UNAUTHORIZED
            }
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::KeysUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The code for programs, as Logto's own services name it.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::HeaderMissing => "auth.authorization_header_missing",
            Self::InvalidFormat => "auth.authorization_token_invalid_format",
            Self::TypeNotSupported => "auth.authorization_token_type_not_supported",
            Self::InvalidToken(_) => "invalid_token",
            Self::Forbidden(_) => "auth.forbidden",
            Self::KeysUnavailable(_) => "auth.keys_unavailable",
        }
    }
}

impl Display for GuardError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderMissing => f.write_str("The request has no Authorization header."),
            Self::InvalidFormat => f.write_str("The Authorization header has to be one: Bearer, a space, and a token."),
            Self::TypeNotSupported => f.write_str("The scheme of the Authorization header has to be Bearer."),
            Self::InvalidToken(fault) => f.write_str(fault.description()),
            Self::Forbidden(denial) => denial.fmt(f),
            Self::KeysUnavailable(_) => f.write_str("The token cannot be checked at the moment. Try again later."),
        }
    }
}

impl Error for GuardError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::KeysUnavailable(unavailable) => unavailable
                .source
                .as_deref()
                .map(|source| source as &(dyn Error + 'static)),
            _ => None,
        }
    }
}

impl From<TokenFault> for GuardError {
    fn from(fault: TokenFault) -> Self {
        Self::InvalidToken(fault)
    }
}

impl From<Denial> for GuardError {
    fn from(denial: Denial) -> Self {
        Self::Forbidden(denial)
    }
}
