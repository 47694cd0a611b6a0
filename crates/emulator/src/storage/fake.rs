//! A file that exists in tests only.

use crate::storage::{Changes, Loaded, Persist, Receipt, Store};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;

/// Counts changes. A test says when they are written.
#[derive(Debug)]
struct FakeFile {
    last: AtomicU64,
    written: watch::Receiver<Receipt>,
}

impl Persist for FakeFile {
    fn write(&self, _: Changes) -> Receipt {
        Receipt(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn last(&self) -> Receipt {
        Receipt(self.last.load(Ordering::Relaxed))
    }

    fn written(&self) -> watch::Receiver<Receipt> {
        self.written.clone()
    }
}

/// A store with a fake file, and the sender that confirms its changes.
pub(crate) fn fake() -> (Loaded, watch::Sender<Receipt>) {
    let (sender, written) = watch::channel(Receipt::default());
    let file = FakeFile {
        last: AtomicU64::new(0),
        written,
    };
    let loaded = Loaded {
        store: Store::new(Arc::new(file)),
        ..Loaded::default()
    };
    (loaded, sender)
}
