//! What is answered for an error.

use crate::error::{DownstreamError, SidecarError, SidecarErrorKind};
use azure_core::{Error, http::StatusCode};

/// An answer to a request that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    CallerTokenMissing,
    CallerTokenRejected,
    InteractionRequired,
    MissingScope,
    DownstreamForbidden,
    DownstreamUnavailable,
    DownstreamFailed,
    SidecarUnavailable,
    SidecarFailed,
    InternalError,
}

impl Reply {
    /// The answer to an error.
    pub(super) fn to(error: &Error) -> Self {
        if let Some(error) = DownstreamError::from_error(error) {
            return match error.response().status() {
                StatusCode::Forbidden => Self::DownstreamForbidden,
                StatusCode::RequestTimeout
                | StatusCode::TooManyRequests
                | StatusCode::ServiceUnavailable
                | StatusCode::GatewayTimeout => Self::DownstreamUnavailable,
                _ => Self::DownstreamFailed,
            };
        }
        match SidecarError::from_error(error).map(SidecarError::kind) {
            Some(SidecarErrorKind::CallerTokenRejected) => Self::CallerTokenRejected,
            Some(SidecarErrorKind::InteractionRequired) => Self::InteractionRequired,
            Some(SidecarErrorKind::MissingScope) => Self::MissingScope,
            Some(SidecarErrorKind::Unavailable) => Self::SidecarUnavailable,
            Some(_) => Self::SidecarFailed,
            None if is_unreadable_content(error) => Self::DownstreamFailed,
            None => Self::InternalError,
        }
    }

    pub(super) fn status(self) -> u16 {
        match self {
            Self::CallerTokenMissing | Self::CallerTokenRejected | Self::InteractionRequired => 401,
            Self::MissingScope | Self::DownstreamForbidden => 403,
            Self::InternalError => 500,
            Self::DownstreamFailed | Self::SidecarFailed => 502,
            Self::DownstreamUnavailable | Self::SidecarUnavailable => 503,
        }
    }

    pub(super) fn code(self) -> &'static str {
        match self {
            Self::CallerTokenMissing => "caller_token_missing",
            Self::CallerTokenRejected => "caller_token_rejected",
            Self::InteractionRequired => "interaction_required",
            Self::MissingScope => "missing_scope",
            Self::DownstreamForbidden => "downstream_forbidden",
            Self::DownstreamUnavailable => "downstream_unavailable",
            Self::DownstreamFailed => "downstream_failed",
            Self::SidecarUnavailable => "sidecar_unavailable",
            Self::SidecarFailed => "sidecar_failed",
            Self::InternalError => "internal_error",
        }
    }

    pub(super) fn title(self) -> &'static str {
        match self {
            Self::CallerTokenMissing => "The request has no bearer token",
            Self::CallerTokenRejected => "The bearer token is not valid",
            Self::InteractionRequired => "You have to sign in again, prove who you are, or consent",
            Self::MissingScope => "The bearer token does not have the scope that is needed",
            Self::DownstreamForbidden => "You may not do that",
            Self::DownstreamUnavailable | Self::SidecarUnavailable => "This is not available at the moment",
            Self::DownstreamFailed | Self::SidecarFailed => "A service that this one needs does not work",
            Self::InternalError => "Something went wrong",
        }
    }

    /// The `WWW-Authenticate` header (RFC 6750, section 3).
    pub(super) fn challenge(self) -> Option<&'static str> {
        match self {
            // A request without a token is told no more. One whose user has to do something has a valid token, and RFC 6750
            // has no error for it: the code of the problem says what it is.
            Self::CallerTokenMissing | Self::InteractionRequired => Some("Bearer"),
            Self::CallerTokenRejected => Some(r#"Bearer error="invalid_token""#),
            Self::MissingScope => Some(r#"Bearer error="insufficient_scope""#),
            _ => None,
        }
    }
}

/// Whether a downstream API answered something else than the JSON that was expected.
fn is_unreadable_content(error: &Error) -> bool {
    matches!(error.kind(), azure_core::error::ErrorKind::DataConversion)
}

/// How long to wait before the next request, in whole seconds.
pub(super) fn retry_after_seconds(error: &Error) -> Option<i64> {
    let wait = SidecarError::from_error(error)?.retry_after()?;
    Some(wait.whole_seconds() + i64::from(wait.subsec_nanoseconds() > 0))
}
