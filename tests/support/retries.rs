//! Retries without waits.

use azure_core::{
    http::{
        StatusCode,
        headers::HeaderName,
        policies::{RetryHeaders, RetryPolicy},
    },
    time::Duration,
};

/// azure_core's retries without its waits, which are 10 to 265 milliseconds at least.
#[derive(Debug)]
pub(crate) struct AtOnce {
    attempts: usize,
    headers: RetryHeaders,
}

impl AtOnce {
    pub(crate) fn new(attempts: usize) -> Self {
        let retry_headers = ["x-ms-retry-after-ms", "retry-after-ms", "retry-after"].map(HeaderName::from_static);
        let headers = RetryHeaders {
            retry_headers: retry_headers.into(),
        };
        Self { attempts, headers }
    }
}

impl RetryPolicy for AtOnce {
    fn is_expired(&self, _since_start: Duration, retries: u32) -> bool {
        usize::try_from(retries).unwrap() + 1 >= self.attempts
    }

    fn retry_headers(&self) -> Option<&RetryHeaders> {
        Some(&self.headers)
    }

    /// Those of azure_core.
    fn retry_status_codes(&self) -> &[StatusCode] {
        &[]
    }

    fn sleep_duration(&self, _retries: u32) -> Duration {
        Duration::ZERO
    }
}
