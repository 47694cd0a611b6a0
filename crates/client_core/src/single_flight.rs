//! Single flight: work that concurrent callers share, with its result.

use crate::runtime::{self, RuntimeId};
use azure_core::{Error, Result, error::ErrorKind};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use std::{fmt, panic::AssertUnwindSafe, result, sync::Arc};

/// The result that several callers share.
pub type SharedResult<T> = result::Result<T, SharedError>;

type Work<T> = BoxFuture<'static, SharedResult<T>>;

/// Work that callers join while it is in flight. The callers drive it, so nothing is spawned.
///
/// It is cancelled when its last caller drops it; the next caller starts anew. Each async runtime has work of its own: the
/// sockets and timers of the work belong to the runtime that first polls it, which may have stopped.
pub struct SingleFlight<T: Clone>(Vec<(Option<RuntimeId>, WeakShared<Work<T>>)>);

/// The share of one caller in work that is in flight.
pub struct InFlight<T: Clone>(Shared<Work<T>>);

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Joins the work in flight, or starts it. It does not run before [`InFlight::result`] is awaited.
    ///
    /// Call this under the lock that the work writes its result under, so that work that has just ended is not started
    /// again.
    pub fn join<F>(&mut self, start: impl FnOnce() -> F) -> InFlight<T>
    where
        F: Future<Output = SharedResult<T>> + Send + 'static,
    {
        // A caller may still hold work that has ended; its result may be old.
        let in_flight = |work: &WeakShared<Work<T>>| work.upgrade().filter(|work| work.peek().is_none());
        self.0.retain(|(_, work)| in_flight(work).is_some());

        let current = runtime::current();
        let mut works = self.0.iter().filter(|(runtime, _)| *runtime == current);
        if let Some(work) = works.find_map(|(_, work)| in_flight(work)) {
            return InFlight(work);
        }
        let work = AssertUnwindSafe(start()).catch_unwind();
        let work = async { work.await.unwrap_or_else(|_| Err(panicked().into())) }
            .boxed()
            .shared();
        self.0.extend(work.downgrade().map(|work| (current, work)));
        InFlight(work)
    }
}

impl<T: Clone> InFlight<T> {
    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// The work failed or panicked.
    pub async fn result(self) -> SharedResult<T> {
        self.0.await
    }
}

/// Runs `work` and turns a panic into an error.
///
/// # Errors
///
/// The work failed or panicked.
pub async fn catch_panic<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let result = AssertUnwindSafe(work).catch_unwind().await;
    result.unwrap_or_else(|_| Err(panicked()))
}

fn panicked() -> Error {
    Error::with_message(ErrorKind::Other, "getting a token panicked")
}

impl<T: Clone> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Clone> fmt::Debug for SingleFlight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleFlight")
    }
}

impl<T: Clone> fmt::Debug for InFlight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InFlight")
    }
}

/// An error that several callers share. Each gets an error of the same kind and text, whose source is the original.
#[derive(Clone, Debug)]
pub struct SharedError(Arc<Error>);

impl SharedError {
    /// Returns the error of one caller.
    #[must_use]
    pub fn into_error(self) -> Error {
        Error::new(self.0.kind().clone(), self)
    }
}

impl From<Error> for SharedError {
    fn from(error: Error) -> Self {
        Self(Arc::new(error))
    }
}

impl AsRef<Error> for SharedError {
    fn as_ref(&self) -> &Error {
        &self.0
    }
}

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for SharedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::{join, pending, ready};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::task::yield_now;

    #[tokio::test]
    async fn concurrent_callers_share_the_work() {
        let mut work = SingleFlight::default();
        let first = work.join(|| async {
            yield_now().await;
            Ok("first")
        });
        let second = work.join(|| ready(Ok("second")));
        let (first, second) = join(first.result(), second.result()).await;
        assert_eq!((first.unwrap(), second.unwrap()), ("first", "first"));
    }

    #[tokio::test]
    async fn ended_work_is_not_joined_while_a_caller_holds_it() {
        let mut work = SingleFlight::default();
        let first = work.join(|| ready(Ok("first")));
        let held = work.join(|| ready(Ok("second")));
        first.result().await.unwrap();
        let third = work.join(|| ready(Ok("third")));
        assert_eq!(third.result().await.unwrap(), "third");
        assert_eq!(held.result().await.unwrap(), "first");
    }

    #[tokio::test]
    async fn work_without_callers_is_cancelled() {
        let mut work = SingleFlight::default();
        let held = Arc::new(());
        let kept = Arc::downgrade(&held);
        let shares = [0; 3].map(|_| {
            let held = held.clone();
            work.join(|| async move {
                pending::<()>().await;
                drop(held);
                Ok("first")
            })
        });
        drop(held);
        let [first, second, third] = shares.map(InFlight::result).map(tokio::spawn);
        yield_now().await;
        first.abort();
        second.abort();
        yield_now().await;
        assert!(kept.upgrade().is_some());
        third.abort();
        yield_now().await;
        assert!(kept.upgrade().is_none());
        assert_eq!(work.join(|| ready(Ok("new"))).result().await.unwrap(), "new");
    }

    #[tokio::test]
    async fn work_goes_on_without_the_caller_who_drove_it() {
        let mut work = SingleFlight::default();
        let polls = Arc::new(AtomicUsize::new(0));
        let (done, finished) = futures::channel::oneshot::channel();
        let first = work.join(|| async {
            finished.await.unwrap();
            Ok("done")
        });
        let second = tokio::spawn({
            let (share, polls) = (work.join(|| ready(Ok("another"))), polls.clone());
            async move {
                polls.fetch_add(1, Ordering::SeqCst);
                share.result().await
            }
        });
        let first = tokio::spawn(first.result());
        yield_now().await;
        assert_eq!(polls.load(Ordering::SeqCst), 1);
        first.abort();
        yield_now().await;
        done.send(()).unwrap();
        assert_eq!(second.await.unwrap().unwrap(), "done");
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn another_runtime_starts_its_own_work() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (one, other) = (runtime(), runtime());
        let mut work = SingleFlight::default();
        let mut stuck = Box::pin(one.block_on(async { work.join(pending) }).result());
        one.block_on(async { assert!(futures::poll!(&mut stuck).is_pending()) });
        // The first runtime is not driven any more.
        let second = other.block_on(async { work.join(|| ready(Ok("second"))).result().now_or_never() });
        assert_eq!(second.unwrap().unwrap(), "second");
        // Its own work is still in flight.
        let third = one.block_on(async { work.join(|| ready(Ok("third"))).result().now_or_never() });
        assert!(third.is_none());
    }

    #[tokio::test]
    async fn a_panic_is_an_error_for_every_caller_and_does_not_last() {
        let mut work = SingleFlight::default();
        let first = work.join(|| async {
            yield_now().await;
            panic!("on purpose")
        });
        let second = work.join(|| ready(Ok("second")));
        let (first, second) = join(first.result(), second.result()).await;
        for error in [first.unwrap_err(), second.unwrap_err()] {
            assert!(error.to_string().contains("panicked"), "{error}");
        }
        assert_eq!(work.join(|| ready(Ok("third"))).result().await.unwrap(), "third");
    }
}
