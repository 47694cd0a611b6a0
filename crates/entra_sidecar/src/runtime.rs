//! The async runtime that azure_core is configured with.

/// Whether a timer can be started where this is called.
///
/// With the feature `tokio`, azure_core's runtime panics outside a tokio runtime, and one that was set with
/// `set_async_runtime` cannot be told from it: it is used where a tokio runtime is current too, or without the feature.
pub(crate) fn is_available() -> bool {
    #[cfg(feature = "tokio")]
    {
        tokio::runtime::Handle::try_current().is_ok()
    }
    // Without tokio, azure_core's own runtime starts a thread for a timer, which it can do everywhere.
    #[cfg(not(feature = "tokio"))]
    {
        true
    }
}

#[cfg(all(test, feature = "tokio"))]
mod tests {
    use super::*;

    #[test]
    fn outside_a_runtime_there_is_no_timer() {
        assert!(!is_available());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert!(runtime.block_on(async { is_available() }));
    }
}
