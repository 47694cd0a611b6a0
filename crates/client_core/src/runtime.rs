//! The async runtime that azure_core is configured with.

use azure_core::{
    Error, Result,
    async_runtime::{SpawnedTask, get_async_runtime},
    error::ErrorKind,
    time::Duration,
};
use futures::{
    channel::oneshot,
    future::{Either, select},
};
use std::{convert::Infallible, fmt, pin::pin};

/// The ID of an async runtime.
#[cfg(feature = "tokio")]
pub type RuntimeId = tokio::runtime::Id;

/// The ID of the one runtime that there is without tokio.
#[cfg(not(feature = "tokio"))]
pub type RuntimeId = ();

/// Returns the runtime of the caller; `None` outside one.
#[must_use]
pub fn current() -> Option<RuntimeId> {
    #[cfg(feature = "tokio")]
    {
        tokio::runtime::Handle::try_current().ok().map(|handle| handle.id())
    }
    // azure_core's own runtime starts a thread for a task, which it can do everywhere.
    #[cfg(not(feature = "tokio"))]
    {
        Some(())
    }
}

/// Returns whether a task can be spawned and a timer set here.
///
/// With the feature `tokio`, azure_core's runtime panics outside a tokio runtime, and one that was set with
/// `set_async_runtime` looks the same: it is used where a tokio runtime is current too, or without the feature.
#[must_use]
pub fn is_available() -> bool {
    current().is_some()
}

/// Waits for a future until a time is over. The error is the timeout. Where no timer can be set, there is no bound.
///
/// # Errors
///
/// The time is over.
pub async fn timeout<F: Future>(timeout: Option<Duration>, future: F) -> std::result::Result<F::Output, Duration> {
    let Some(timeout) = timeout.filter(|_| is_available()) else {
        return Ok(future.await);
    };
    // A sleep of less than nothing would panic.
    let timer = get_async_runtime().sleep(timeout.max(Duration::ZERO));
    match select(pin!(future), timer).await {
        Either::Left((output, _)) => Ok(output),
        Either::Right(_) => Err(timeout),
    }
}

/// A task in the background. It ends when this is dropped, also on a runtime that cannot abort one.
pub struct Task {
    alive: oneshot::Sender<Infallible>,
    _task: SpawnedTask,
}

impl Task {
    /// Starts a task.
    ///
    /// # Errors
    ///
    /// There is no async runtime here.
    pub fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Result<Self> {
        if !is_available() {
            return Err(Error::with_message(
                ErrorKind::Other,
                "there is no tokio runtime here for work in the background; call this inside one",
            ));
        }
        let (alive, dropped) = oneshot::channel();
        let task = async move {
            select(Box::pin(future), dropped).await;
        };
        Ok(Self {
            alive,
            _task: get_async_runtime().spawn(Box::pin(task)),
        })
    }

    /// Returns whether the task runs: not after it has ended, and not after its runtime has.
    #[must_use]
    pub fn is_running(&self) -> bool {
        !self.alive.is_canceled()
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use super::*;

    #[test]
    fn no_runtime_is_an_error_and_not_a_panic() {
        assert!(!is_available());
        let error = Task::spawn(async {}).map(drop).unwrap_err();
        assert!(error.to_string().contains("no tokio runtime"), "{error}");
    }

    #[tokio::test]
    async fn a_task_runs_to_its_end() {
        let (done, finished) = oneshot::channel();
        let task = Task::spawn(async { done.send(()).unwrap() }).unwrap();
        finished.await.unwrap();
        tokio::task::yield_now().await;
        assert!(!task.is_running());
    }
}
