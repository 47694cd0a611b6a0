//! Changes that wait to be written.

use crate::store::{Changes, Keep, Ticket};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Collects changes while earlier ones are written, so that one write does for many requests.
#[derive(Debug)]
pub(super) struct Queue {
    pending: Mutex<Pending>,
    changed: Condvar,
    written: watch::Receiver<Ticket>,
}

#[derive(Debug)]
struct Pending {
    /// The ticket of these changes.
    ticket: Ticket,
    changes: Changes,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(written: watch::Receiver<Ticket>) -> Self {
        Self {
            pending: Mutex::new(Pending {
                ticket: Ticket(1),
                changes: Changes::default(),
                is_closed: false,
            }),
            changed: Condvar::new(),
            written,
        }
    }

    /// Waits for changes, and takes all that there are; `None` if there will be none.
    pub(super) fn take(&self) -> Option<(Ticket, Changes)> {
        let mut pending = self
            .changed
            .wait_while(self.lock(), |pending| pending.changes.is_empty() && !pending.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        if pending.changes.is_empty() {
            return None;
        }
        let ticket = pending.ticket;
        pending.ticket = Ticket(ticket.0 + 1);
        Some((ticket, std::mem::take(&mut pending.changes)))
    }

    /// Lets [`take`](Self::take) come to an end.
    pub(super) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Keep for Queue {
    fn write(&self, changes: Changes) -> Ticket {
        let mut pending = self.lock();
        // When nothing is written any more, nothing is collected, and whoever waits learns it.
        if self.written.has_changed().is_ok() {
            pending.changes.extend(changes);
            self.changed.notify_all();
        }
        pending.ticket
    }

    fn last(&self) -> Ticket {
        let pending = self.lock();
        let is_taken = u64::from(pending.changes.is_empty());
        Ticket(pending.ticket.0 - is_taken)
    }

    fn written(&self) -> watch::Receiver<Ticket> {
        self.written.clone()
    }
}
