//! The data file: a queue of changes, and the thread that writes them.

use crate::storage::{
    Changes, Contents, DataError, DataFileError, Loaded, Persist, Receipt, Store, database::Database,
};
use std::{
    error::Error,
    fmt::Display,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
};
use tokio::{sync::watch, task};
use tracing::error;

/// The name of the thread that writes.
const THREAD_NAME: &str = "data-file";

/// An open file. Dropping it writes the last changes and closes it.
#[derive(Debug)]
pub(crate) struct DataFile {
    queue: Arc<Queue>,
    writer: Option<JoinHandle<()>>,
}

impl DataFile {
    /// Opens the file, and creates it if it does not exist.
    ///
    /// After a process that was killed, this checks the whole file, so it does not run on a thread of the runtime. The
    /// database panics where it does not expect its file to be damaged.
    pub(crate) async fn open(path: PathBuf) -> Result<Loaded, DataFileError> {
        let open = {
            let path = path.clone();
            move || {
                let database = Database::open(&path)?;
                let records = database.read().map_err(DataError::Failed)?;
                let contents = Contents::new(path.clone(), records);
                let (file, store) = Self::start(database, path)?;
                Ok(Loaded {
                    store,
                    contents,
                    file: Some(Box::new(file)),
                })
            }
        };
        let loaded = task::spawn_blocking(open).await;
        let loaded = loaded.unwrap_or_else(|_| Err(DataError::damaged_database()));
        loaded.map_err(|source| DataFileError { path, source })
    }

    /// Starts the thread that writes.
    fn start(database: Database, path: PathBuf) -> Result<(Self, Store), DataError> {
        let (sender, written) = watch::channel(Receipt::default());
        let queue = Arc::new(Queue::new(written));
        let store = Store::new(queue.clone());
        let writer = {
            let queue = queue.clone();
            let thread = thread::Builder::new().name(THREAD_NAME.to_owned());
            thread.spawn(move || write(|changes| database.commit(changes), &queue, &sender, &path))
        };
        let file = Self {
            queue,
            writer: Some(writer.map_err(|error| DataError::Failed(error.into()))?),
        };
        Ok((file, store))
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        self.queue.close();
        // If the thread panicked, the panic has been reported.
        self.writer.take().map(JoinHandle::join);
    }
}

/// Writes changes until there are no more, or until it fails.
///
/// A change that could not be written is in memory only, so no later change may be written without it. Only a restart
/// continues from the file.
fn write(
    commit: impl Fn(Changes) -> Result<(), Box<dyn Error + Send + Sync>>,
    queue: &Queue,
    written: &watch::Sender<Receipt>,
    path: &Path,
) {
    while let Some((receipt, changes)) = queue.take() {
        // The database panics where it does not expect its file to be damaged.
        match catch_unwind(AssertUnwindSafe(|| commit(changes))) {
            Ok(Ok(())) => written.send_replace(receipt),
            Ok(Err(error)) => return log(path, &*error),
            Err(panic) => {
                log(path, "the database panicked");
                // The database skips its orderly close when a panic drops it.
                resume_unwind(panic)
            }
        };
    }
}

fn log(path: &Path, error: impl Display) {
    error!(
        path = %path.display(),
        %error,
        "the state cannot be written; every change from here on gets a 500 and is lost, until the emulator is \
         started again"
    );
}

/// Collects changes while earlier ones are written, so that one write serves many requests.
#[derive(Debug)]
struct Queue {
    pending: Mutex<Pending>,
    changed: Condvar,
    written: watch::Receiver<Receipt>,
}

#[derive(Debug)]
struct Pending {
    /// The receipt of these changes.
    receipt: Receipt,
    changes: Changes,
    is_closed: bool,
}

impl Queue {
    fn new(written: watch::Receiver<Receipt>) -> Self {
        Self {
            pending: Mutex::new(Pending {
                receipt: Receipt(1),
                changes: Changes::default(),
                is_closed: false,
            }),
            changed: Condvar::new(),
            written,
        }
    }

    /// Waits for changes, and takes all of them; `None` when the queue is closed and empty.
    fn take(&self) -> Option<(Receipt, Changes)> {
        let mut pending = self
            .changed
            .wait_while(self.lock(), |pending| pending.changes.is_empty() && !pending.is_closed)
            .unwrap_or_else(PoisonError::into_inner);
        if pending.changes.is_empty() {
            return None;
        }
        let receipt = pending.receipt;
        pending.receipt = Receipt(receipt.0 + 1);
        Some((receipt, std::mem::take(&mut pending.changes)))
    }

    /// Ends [`take`](Self::take) once the queue is empty.
    fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Persist for Queue {
    fn write(&self, changes: Changes) -> Receipt {
        let mut pending = self.lock();
        // After a failure nothing is collected, and every wait fails.
        if self.written.has_changed().is_ok() {
            pending.changes.extend(changes);
            self.changed.notify_all();
        }
        pending.receipt
    }

    fn last(&self) -> Receipt {
        let pending = self.lock();
        let is_taken = u64::from(pending.changes.is_empty());
        Receipt(pending.receipt.0 - is_taken)
    }

    fn written(&self) -> watch::Receiver<Receipt> {
        self.written.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{NotPersisted, SETTINGS};
    use std::{
        io,
        sync::mpsc::{self, Sender},
    };
    use tracing::subscriber::with_default;

    /// A writer that sends the log to a test.
    struct Log(Sender<String>);

    impl io::Write for Log {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.send(String::from_utf8_lossy(text).into_owned()).unwrap();
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn database_panic_is_logged_and_ends_every_wait() {
        let (sender, written) = watch::channel(Receipt::default());
        let queue = Arc::new(Queue::new(written));
        let store = Store::new(queue.clone());
        let change = || store.write(|changes| changes.put(SETTINGS, "a", &1));
        let receipt = change();
        let (log, lines) = mpsc::channel();
        let subscriber = tracing_subscriber::fmt().with_writer(move || Log(log.clone())).finish();
        let path = Path::new("a.redb");
        let panics = || write(|_| panic!("as redb does"), &queue, &sender, path);
        with_default(subscriber, || catch_unwind(AssertUnwindSafe(panics))).unwrap_err();
        drop(sender);

        assert_eq!(store.wait(receipt).await, Err(NotPersisted));
        assert_eq!(store.wait(change()).await, Err(NotPersisted));
        let log: String = lines.try_iter().collect();
        assert!(
            log.contains("the state cannot be written") && log.contains("a.redb"),
            "{log}"
        );
    }
}
