//! Work that is done once for everybody who waits for it.

use super::shared_error::{SharedError, SharedResult};
use azure_core::{Error, Result, error::ErrorKind};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared, WeakShared},
};
use std::{fmt, panic::AssertUnwindSafe};

type Work<T> = BoxFuture<'static, SharedResult<T>>;

/// Work under way, and a way to join it. Whoever waits drives it: nobody spins, and nothing is spawned.
///
/// It is cancelled when nobody waits any more; the next to come starts anew.
pub(super) struct SingleFlight<T: Clone>(Option<WeakShared<Work<T>>>);

/// The work, for one of those who wait for it.
pub(super) struct Flight<T: Clone>(Shared<Work<T>>);

impl<T: Clone + Send + Sync + 'static> SingleFlight<T> {
    /// Joins the work that is under way, or starts it. Nothing of it runs before the flight is awaited.
    ///
    /// Owners call this under the lock that the work writes its result under, so that nobody starts work that has just
    /// been done.
    pub(super) fn join<F>(&mut self, start: impl FnOnce() -> F) -> Flight<T>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let under_way = self.0.as_ref().and_then(WeakShared::upgrade);
        // One that has landed may be held by somebody who has not looked yet; its result may be of long ago.
        if let Some(flight) = under_way.filter(|flight| flight.peek().is_none()) {
            return Flight(flight);
        }
        let work = start();
        let flight = async { unpanicked(work).await.map_err(SharedError::from) }
            .boxed()
            .shared();
        self.0 = flight.downgrade();
        Flight(flight)
    }
}

impl<T: Clone> Flight<T> {
    /// Waits until the work is done.
    pub(super) async fn land(self) -> SharedResult<T> {
        self.0.await
    }
}

/// Turns a panic into an error. `Shared` would leave those who wait without an answer.
pub(super) async fn unpanicked<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let outcome = AssertUnwindSafe(work).catch_unwind().await;
    outcome.unwrap_or_else(|_| Err(Error::with_message(ErrorKind::Other, "getting a token panicked")))
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
        let (first, second) = join(first.land(), second.land()).await;
        assert_eq!((first.unwrap(), second.unwrap()), ("first", "first"));
    }

    #[tokio::test]
    async fn one_that_has_landed_is_not_joined_even_if_somebody_still_holds_it() {
        let mut work = SingleFlight::default();
        let first = work.join(|| ready(Ok("first")));
        let held = work.join(|| ready(Ok("second")));
        first.land().await.unwrap();
        let third = work.join(|| ready(Ok("third")));
        assert_eq!(third.land().await.unwrap(), "third");
        assert_eq!(held.land().await.unwrap(), "first");
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
        let [first, second, third] = flights.map(Flight::land).map(tokio::spawn);
        yield_now().await;
        first.abort();
        second.abort();
        yield_now().await;
        assert!(kept.upgrade().is_some());
        third.abort();
        yield_now().await;
        assert!(kept.upgrade().is_none());
        assert_eq!(work.join(|| ready(Ok("new"))).land().await.unwrap(), "new");
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
                flight.land().await
            }
        });
        let first = tokio::spawn(first.land());
        yield_now().await;
        assert_eq!(polls.load(Ordering::SeqCst), 1);
        first.abort();
        yield_now().await;
        done.send(()).unwrap();
        assert_eq!(second.await.unwrap().unwrap(), "done");
    }

    #[tokio::test]
    async fn a_panic_is_an_error_for_everybody_and_does_not_last() {
        let mut work = SingleFlight::default();
        let first = work.join(|| async {
            yield_now().await;
            panic!("on purpose")
        });
        let second = work.join(|| ready(Ok("second")));
        let (first, second) = join(first.land(), second.land()).await;
        for error in [first.unwrap_err(), second.unwrap_err()] {
            assert!(error.to_string().contains("panicked"), "{error}");
        }
        assert_eq!(work.join(|| ready(Ok("third"))).land().await.unwrap(), "third");
    }
}
