//! The time that a call may take in all.

use crate::runtime;
use azure_core::{async_runtime::get_async_runtime, time::Duration};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Either, select},
};
use std::pin::pin;

/// Bounds what a call waits for, one thing after another.
///
/// Without an async runtime there is no telling when the time is over, so there is no bound.
pub(super) struct TimeLimit(Option<(Duration, BoxFuture<'static, ()>)>);

impl TimeLimit {
    /// The time begins now.
    pub(super) fn new(timeout: Option<Duration>) -> Self {
        let timeout = timeout.filter(|_| runtime::is_available());
        Self(timeout.map(|timeout| (timeout, get_async_runtime().sleep(timeout))))
    }

    /// If the time is over, the whole time that there was.
    pub(super) fn over(&mut self) -> Option<Duration> {
        let (timeout, timer) = self.0.as_mut()?;
        timer.now_or_never().map(|()| *timeout)
    }

    /// Waits for a future until the time is over. The error is the whole time that there was.
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
