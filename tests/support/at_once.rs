//! Retries that do not wait.

use azure_core::{
    http::{
        StatusCode,
        headers::HeaderName,
        policies::{RetryHeaders, RetryPolicy},
    },
    time::Duration,
};

/// Core's retries without its waits, which are 10 to 265 milliseconds at least.
#[derive(Debug)]
pub(crate) struct AtOnce {
    tries: usize,
    headers: RetryHeaders,
}

impl AtOnce {
    pub(crate) fn new(tries: usize) -> Self {
        let retry_headers = ["x-ms-retry-after-ms", "retry-after-ms", "retry-after"].map(HeaderName::from_static);
        let headers = RetryHeaders {
            retry_headers: retry_headers.into(),
        };
        Self { tries, headers }
    }
}

impl RetryPolicy for AtOnce {
    fn is_expired(&self, _since_start: Duration, retries: u32) -> bool {
        usize::try_from(retries).unwrap() + 1 >= self.tries
    }

    fn retry_headers(&self) -> Option<&RetryHeaders> {
        Some(&self.headers)
    }

    /// Core's own.
    fn retry_status_codes(&self) -> &[StatusCode] {
        &[]
    }

    fn sleep_duration(&self, _retries: u32) -> Duration {
        Duration::ZERO
    }
}
