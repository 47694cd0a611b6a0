//! Work in the background, on the async runtime that azure_core is configured with.

use azure_core::{
    Result,
    async_runtime::{SpawnedTask, get_async_runtime},
};

/// Whether a task can be spawned where this is called.
///
/// With the feature `tokio`, azure_core's runtime panics outside a tokio runtime, and one that was set with
/// `set_async_runtime` cannot be told from it: it is used where a tokio runtime is current too, or without the feature.
pub(crate) fn is_available() -> bool {
    #[cfg(feature = "tokio")]
    {
        tokio::runtime::Handle::try_current().is_ok()
    }
    // Without tokio, azure_core's own runtime starts a thread for a task, which it can do everywhere.
    #[cfg(not(feature = "tokio"))]
    {
        true
    }
}

/// Starts a task. Hold what this returns as long as the task is to run: a runtime is free to end a task whose handle is
/// dropped.
pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) -> Result<SpawnedTask> {
    if !is_available() {
        return Err(crate::error::invalid_argument(
            "there is no tokio runtime here for work in the background; call this inside one",
        ));
    }
    Ok(get_async_runtime().spawn(Box::pin(future)))
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use super::*;

    #[test]
    fn outside_a_runtime_there_is_an_error_and_no_panic() {
        assert!(!is_available());
        let error = spawn(async {}).map(drop).unwrap_err();
        assert!(error.to_string().contains("no tokio runtime"), "{error}");
    }

    #[tokio::test]
    async fn a_task_runs() {
        let (done, finished) = futures::channel::oneshot::channel();
        let _task = spawn(async { done.send(()).unwrap() }).unwrap();
        finished.await.unwrap();
    }
}
