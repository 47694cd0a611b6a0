//! A single flight: work that concurrent callers share.

use super::shared_error::SharedResult;
use crate::runtime::{self, RuntimeId};
use azure_core::{Error, Result, error::ErrorKind};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use std::{fmt, panic::AssertUnwindSafe};

type Work<T> = BoxFuture<'static, SharedResult<T>>;

/// Work in flight, which callers join. The callers drive it, so nothing is spawned.
///
/// It is cancelled when no caller waits for it any more; the next caller starts anew. Callers on another async runtime start
/// their own: the sockets and timers of the work belong to the runtime that first polls it, which may not be driven any more.
pub(super) struct SingleFlight<T: Clone>(Option<(Option<RuntimeId>, WeakShared<Work<T>>)>);

/// The work, for one of the callers.
pub(super) struct Flight<T: Clone>(Shared<Work<T>>);

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Joins the work in flight, or starts it. Nothing of it runs before the flight is awaited.
    ///
    /// Owners call this under the lock that the work writes its result under, so that work that has just been done is not
    /// started again.
    pub(super) fn join<F>(&mut self, start: impl FnOnce() -> F) -> Flight<T>
    where
        F: Future<Output = SharedResult<T>> + Send + 'static,
    {
        let runtime = runtime::current();
        let in_flight = self.0.as_ref().filter(|(its_runtime, _)| *its_runtime == runtime);
        // One that has ended may still be held by a caller who has not looked yet; its result may be old.
        let in_flight = in_flight.and_then(|(_, work)| work.upgrade());
        if let Some(flight) = in_flight.filter(|flight| flight.peek().is_none()) {
            return Flight(flight);
        }
        let work = AssertUnwindSafe(start()).catch_unwind();
        let flight = async { work.await.unwrap_or_else(|_| Err(panicked().into())) }
            .boxed()
            .shared();
        self.0 = flight.downgrade().map(|work| (runtime, work));
        Flight(flight)
    }
}

impl<T: Clone> Flight<T> {
    /// Waits until the work is done.
    pub(super) async fn wait(self) -> SharedResult<T> {
        self.0.await
    }
}

/// Turns a panic into an error. `Shared` would leave the callers without a result.
pub(super) async fn unpanicked<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(panicked()))
}

fn panicked() -> Error {
    Error::with_message(ErrorKind::Other, "getting a token panicked")
}

impl<T: Clone> Default for SingleFlight<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Clone> fmt::Debug for SingleFlight<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleFlight")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::future::{join, pending, ready};
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    use tokio::task::yield_now;

    #[tokio::test]
    async fn those_who_come_while_it_is_under_way_share_it() {
        let mut work = SingleFlight::default();
        let first = work.join(|| async {
            yield_now().await;
            Ok("first")
        });
        let second = work.join(|| ready(Ok("second")));
        let (first, second) = join(first.wait(), second.wait()).await;
        assert_eq!((first.unwrap(), second.unwrap()), ("first", "first"));
    }

    #[tokio::test]
    async fn one_that_has_landed_is_not_joined_even_if_somebody_still_holds_it() {
        let mut work = SingleFlight::default();
        let first = work.join(|| ready(Ok("first")));
        let held = work.join(|| ready(Ok("second")));
        first.wait().await.unwrap();
        let third = work.join(|| ready(Ok("third")));
        assert_eq!(third.wait().await.unwrap(), "third");
        assert_eq!(held.wait().await.unwrap(), "first");
    }

    #[tokio::test]
    async fn one_that_nobody_waits_for_is_cancelled() {
        let mut work = SingleFlight::default();
        let held = Arc::new(());
        let kept = Arc::downgrade(&held);
        let flights = [0; 3].map(|_| {
            let held = held.clone();
            work.join(|| async move {
                pending::<()>().await;
                drop(held);
                Ok("first")
            })
        });
        drop(held);
        let [first, second, third] = flights.map(Flight::wait).map(tokio::spawn);
        yield_now().await;
        first.abort();
        second.abort();
        yield_now().await;
        assert!(kept.upgrade().is_some());
        third.abort();
        yield_now().await;
        assert!(kept.upgrade().is_none());
        assert_eq!(work.join(|| ready(Ok("new"))).wait().await.unwrap(), "new");
    }

    #[tokio::test]
    async fn it_goes_on_when_the_one_who_drove_it_is_gone() {
        let mut work = SingleFlight::default();
        let polls = Arc::new(AtomicUsize::new(0));
        let (done, finished) = futures::channel::oneshot::channel();
        let first = work.join(|| async {
            finished.await.unwrap();
            Ok("done")
        });
        let second = tokio::spawn({
            let (flight, polls) = (work.join(|| ready(Ok("another"))), polls.clone());
            async move {
                polls.fetch_add(1, Ordering::SeqCst);
                flight.wait().await
            }
        });
        let first = tokio::spawn(first.wait());
        yield_now().await;
        assert_eq!(polls.load(Ordering::SeqCst), 1);
        first.abort();
        yield_now().await;
        done.send(()).unwrap();
        assert_eq!(second.await.unwrap().unwrap(), "done");
    }

    #[cfg(feature = "tokio")]
    #[test]
    fn another_runtime_does_not_join() {
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (one, other) = (runtime(), runtime());
        let mut work = SingleFlight::default();
        let mut stuck = Box::pin(one.block_on(async { work.join(pending) }).wait());
        one.block_on(async { assert!(futures::poll!(&mut stuck).is_pending()) });
        // The first runtime is not driven any more.
        let second = other.block_on(async { work.join(|| ready(Ok("second"))).wait().now_or_never() });
        assert_eq!(second.unwrap().unwrap(), "second");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_for_everybody_and_does_not_last() {
        let mut work = SingleFlight::default();
        let first = work.join(|| async {
            yield_now().await;
            panic!("on purpose")
        });
        let second = work.join(|| ready(Ok("second")));
        let (first, second) = join(first.wait(), second.wait()).await;
        for error in [first.unwrap_err(), second.unwrap_err()] {
            assert!(error.to_string().contains("panicked"), "{error}");
        }
        assert_eq!(work.join(|| ready(Ok("third"))).wait().await.unwrap(), "third");
    }
}
