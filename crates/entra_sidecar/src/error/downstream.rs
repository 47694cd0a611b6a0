//! A downstream API that answered a failure.

use super::find;
use crate::models::DownstreamResponse;
use azure_core::Error;
use std::fmt;

/// An answer of a downstream API that is no success, as
/// [`error_for_status`](DownstreamResponse::error_for_status) makes it.
///
/// Neither `Display` nor `Debug` shows the content.
#[derive(Debug)]
pub struct DownstreamError {
    pub(crate) response: DownstreamResponse,
}

impl DownstreamError {
    /// Finds the failure in an error, also in one that has been wrapped with more context.
    ///
    /// # Arguments
    ///
    /// * `error` - An error.
    #[must_use]
    pub fn from_error(error: &Error) -> Option<&Self> {
        find(error)
    }

    /// The answer.
    #[must_use]
    pub fn response(&self) -> &DownstreamResponse {
        &self.response
    }
}

impl fmt::Display for DownstreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.response.status();
        let reason = status.canonical_reason();
        write!(
            f,
            "the downstream API {} answered {} {reason}",
            self.response.api_name(),
            u16::from(status)
        )
    }
}

impl std::error::Error for DownstreamError {}
