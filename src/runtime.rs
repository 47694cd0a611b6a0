//! The async runtime that azure_core is configured with.

use azure_core::{
    Result,
    async_runtime::{SpawnedTask, get_async_runtime},
};
use futures::{channel::oneshot, future::select};
use std::convert::Infallible;

/// The id of an async runtime.
#[cfg(feature = "tokio")]
pub(crate) type RuntimeId = tokio::runtime::Id;

/// The id of the one runtime that there is without tokio.
#[cfg(not(feature = "tokio"))]
pub(crate) type RuntimeId = ();

/// The runtime of the caller; `None` outside one.
#[cfg_attr(
    not(feature = "tokio"),
    expect(clippy::unnecessary_wraps, reason = "with tokio, there may be none")
)]
pub(crate) fn current() -> Option<RuntimeId> {
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
pub(crate) fn is_available() -> bool {
    current().is_some()
}

/// A task in the background. It ends when this is dropped, also on a runtime that cannot abort one.
pub(crate) struct Task {
    alive: oneshot::Sender<Infallible>,
    _task: SpawnedTask,
}

impl Task {
    /// Starts a task.
    ///
    /// # Errors
    ///
    /// There is no async runtime here.
    pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Result<Self> {
        if !is_available() {
            return Err(crate::error::invalid_argument(
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

    /// Returns whether the task still runs: not after it has ended, and not after its runtime has.
    pub(crate) fn is_running(&self) -> bool {
        !self.alive.is_canceled()
    }
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use super::*;

    #[test]
    fn outside_a_runtime_there_is_an_error_and_no_panic() {
        assert!(!is_available());
        let error = Task::spawn(async {}).map(drop).unwrap_err();
        assert!(error.to_string().contains("no tokio runtime"), "{error}");
    }

    #[tokio::test]
    async fn a_task_runs() {
        let (done, finished) = oneshot::channel();
        let task = Task::spawn(async { done.send(()).unwrap() }).unwrap();
        finished.await.unwrap();
        tokio::task::yield_now().await;
        assert!(!task.is_running());
    }
}
