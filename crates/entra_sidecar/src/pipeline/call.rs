//! What the policies of a try know of the call that it belongs to.

use azure_core::time::Duration;
use std::time::Instant;

/// How a call may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repetition {
    /// As often as the retry policy wants.
    Harmless,
    /// Not at all: every execution does something more, such as sending a mail.
    Forbidden,
}

/// A call, in the [`Context`](azure_core::http::Context) of its tries.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) repetition: Repetition,
    /// The longest answer that is read, in bytes.
    pub(super) max_answer_len: usize,
    deadline: Option<Instant>,
}

impl Call {
    pub(super) fn new(repetition: Repetition, timeout: Option<Duration>, max_answer_len: usize) -> Self {
        let timeout = timeout.and_then(|timeout| std::time::Duration::try_from(timeout).ok());
        Self {
            repetition,
            max_answer_len,
            deadline: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        }
    }

    /// Whether a wait ends after the call will have been given up.
    pub(super) fn is_too_long(&self, wait: Duration) -> bool {
        self.deadline
            .is_some_and(|deadline| wait >= deadline.saturating_duration_since(Instant::now()))
    }
}
