//! A file that exists in tests only.

use crate::storage::{Changes, Keep, Opened, Store, Ticket};
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::sync::watch;

/// Counts changes. A test says when they are written.
#[derive(Debug)]
struct FakeFile {
    last: AtomicU64,
    written: watch::Receiver<Ticket>,
}

impl Keep for FakeFile {
    fn write(&self, _: Changes) -> Ticket {
        Ticket(self.last.fetch_add(1, Ordering::Relaxed) + 1)
    }

    fn last(&self) -> Ticket {
        Ticket(self.last.load(Ordering::Relaxed))
    }

    fn written(&self) -> watch::Receiver<Ticket> {
        self.written.clone()
    }
}

/// A store with a fake file, and what tells it that changes are written.
pub(crate) fn fake() -> (Opened, watch::Sender<Ticket>) {
    let (sender, written) = watch::channel(Ticket::default());
    let file = FakeFile {
        last: AtomicU64::new(0),
        written,
    };
    let opened = Opened {
        store: Store::new(Arc::new(file)),
        ..Opened::default()
    };
    (opened, sender)
}
