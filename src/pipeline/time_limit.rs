//! The timeout of a call.

use crate::runtime;
use azure_core::{async_runtime::get_async_runtime, time::Duration};
use futures::future::{BoxFuture, Either, select};
use std::pin::pin;

/// Bounds the time of a call. Without an async runtime there is no timer, and so no bound.
pub(super) struct TimeLimit(Option<(Duration, BoxFuture<'static, ()>)>);

impl TimeLimit {
    /// Starts the timer.
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        let timeout = timeout.filter(|_| runtime::is_available());
        Self(timeout.map(|timeout| (timeout, get_async_runtime().sleep(timeout))))
    }

    /// Waits for a future until the time is over. The error is the timeout.
    pub(super) async fn wait_for<F: Future>(&mut self, future: F) -> Result<F::Output, Duration> {
        let Some((timeout, timer)) = &mut self.0 else {
            return Ok(future.await);
        };
        match select(pin!(future), timer).await {
            Either::Left((output, _)) => Ok(output),
            Either::Right(_) => Err(*timeout),
        }
    }
}
