//! Storage: state in memory, which persists if there is a data file.
//!
//! A change is written to the file before the response to its request is sent, and so is every change that the response
//! depends on. Nothing that a client knows is lost with the process.

#[cfg(feature = "persistence")]
mod data_file;
#[cfg(feature = "persistence")]
mod database;
mod error;
#[cfg(test)]
mod fake;
mod records;

use std::{fmt::Debug, sync::Arc};
use tokio::sync::watch;

#[cfg(feature = "persistence")]
pub(crate) use data_file::DataFile;
pub use error::DataError;
pub(crate) use error::DataFileError;
#[cfg(test)]
pub(crate) use fake::fake;
pub(crate) use records::{Changes, Contents, SETTINGS};

/// The store of changes, which drops them if there is no file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Store(Option<Arc<dyn Persist>>);

/// A file to which changes are written.
pub(crate) trait Persist: Debug + Send + Sync {
    /// Queues changes, to be written together and after those of earlier calls.
    fn write(&self, changes: Changes) -> Receipt;

    /// The receipt of the last change.
    fn last(&self) -> Receipt;

    /// Follows the receipt of the last written change. The sender is dropped after a failure, and when the file is
    /// closed.
    fn written(&self) -> watch::Receiver<Receipt>;
}

/// The receipt of a change and of all before it. The default is that of state that needs no write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Receipt(pub(crate) u64);

/// A change could not be written. The log has the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotPersisted;

impl Store {
    #[cfg(any(test, feature = "persistence"))]
    pub(crate) fn new(file: Arc<dyn Persist>) -> Self {
        Self(Some(file))
    }

    /// Returns whether there is a file.
    pub(crate) fn is_persistent(&self) -> bool {
        self.0.is_some()
    }

    /// Returns whether a change could not be written, so that no later one is either.
    pub(crate) fn has_failed(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|file| file.written().has_changed().is_err())
    }

    /// Queues changes, and returns without waiting for the write. Call it while the state that they describe is locked,
    /// so that they are written in the order in which they were made.
    pub(crate) fn write(&self, describe: impl FnOnce(&mut Changes)) -> Receipt {
        let Some(file) = &self.0 else {
            return Receipt::default();
        };
        let mut changes = Changes::default();
        describe(&mut changes);
        file.write(changes)
    }

    /// Waits until a change has been written, so that it survives even a killed process.
    pub(crate) async fn wait(&self, receipt: Receipt) -> Result<(), NotPersisted> {
        let Some(file) = self.0.as_ref().filter(|_| receipt != Receipt::default()) else {
            return Ok(());
        };
        let outcome = file.written().wait_for(|written| *written >= receipt).await.map(drop);
        outcome.map_err(|_| NotPersisted)
    }

    /// Waits until all changes so far have been written. Call it before a response that something does not exist, as
    /// its deletion may be among them.
    pub(crate) async fn wait_for_all(&self) -> Result<(), NotPersisted> {
        match &self.0 {
            Some(file) => self.wait(file.last()).await,
            None => Ok(()),
        }
    }
}

/// An open file. Dropping it writes the last changes and closes it.
pub(crate) type OpenFile = Box<dyn Debug + Send + Sync>;

/// A store, its file, and the contents of the file.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    pub(crate) store: Store,
    pub(crate) contents: Contents,
    pub(crate) file: Option<OpenFile>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    #[test]
    fn wait_ends_when_a_change_is_written() {
        let (loaded, written) = fake();
        let store = &loaded.store;
        let receipts = [(); 3].map(|()| store.write(|_| {}));
        let [mut first, mut second, mut third] = receipts.map(|receipt| Box::pin(store.wait(receipt)));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(first.as_mut().poll(&mut context), Poll::Pending);
        written.send_replace(receipts[1]);
        assert_eq!(first.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        assert_eq!(third.as_mut().poll(&mut context), Poll::Pending);
        let mut all = Box::pin(store.wait_for_all());
        assert_eq!(all.as_mut().poll(&mut context), Poll::Pending);
        written.send_replace(receipts[2]);
        assert_eq!(all.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        store.write(|_| {});
        assert_eq!(pin!(store.wait_for_all()).poll(&mut context), Poll::Pending);
        assert_eq!(third.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        let mut fourth = Box::pin(store.wait(Receipt(4)));
        assert_eq!(fourth.as_mut().poll(&mut context), Poll::Pending);

        // After a failure, what was written still counts.
        drop(written);
        assert_eq!(fourth.as_mut().poll(&mut context), Poll::Ready(Err(NotPersisted)));
        assert_eq!(
            pin!(store.wait_for_all()).poll(&mut context),
            Poll::Ready(Err(NotPersisted))
        );
        for (receipt, outcome) in [
            (receipts[2], Ok(())),
            (Receipt(4), Err(NotPersisted)),
            (Receipt::default(), Ok(())),
        ] {
            assert_eq!(pin!(store.wait(receipt)).poll(&mut context), Poll::Ready(outcome));
        }
    }

    #[test]
    fn without_file_nothing_is_written_or_awaited() {
        let store = Store::default();
        let receipt = store.write(|_| panic!("a change is described"));
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(pin!(store.wait(receipt)).poll(&mut context), Poll::Ready(Ok(())));
        assert_eq!(pin!(store.wait_for_all()).poll(&mut context), Poll::Ready(Ok(())));
    }
}
