//! What the policies of a try know of the call that it belongs to, and tell it.

use azure_core::time::OffsetDateTime;
use std::{
    mem,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// How a call may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Repetition {
    /// Any number of times.
    Harmless,
    /// It creates a user, and with each repetition another one.
    CreatesAnother,
    /// It creates a user, and must not be executed twice.
    Forbidden,
}

/// A call, in the [`Context`](azure_core::http::Context) of its tries.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) repetition: Repetition,
    /// When the call is given up.
    pub(super) deadline: Option<OffsetDateTime>,
    may_have_created_user: AtomicBool,
    last_failure: Mutex<String>,
}

impl Call {
    pub(crate) fn new(repetition: Repetition, deadline: Option<OffsetDateTime>) -> Self {
        Self {
            repetition,
            deadline,
            may_have_created_user: AtomicBool::new(false),
            last_failure: Mutex::default(),
        }
    }

    /// Whether a user may have been created by now.
    pub(crate) fn may_have_created_user(&self) -> bool {
        self.may_have_created_user.load(Ordering::Relaxed)
    }

    /// Begins a try.
    pub(super) fn begin_try(&self) -> Try<'_> {
        Try {
            call: self,
            may_have_created_user: self.may_have_created_user(),
        }
    }

    /// Notes that the request is on its way. Until the try has ended, nobody knows what it does.
    pub(super) fn send(&self) {
        if self.repetition != Repetition::Harmless {
            self.may_have_created_user.store(true, Ordering::Relaxed);
        }
    }

    /// Says how the last try failed; empty if none has.
    pub(crate) fn take_last_failure(&self) -> String {
        mem::take(&mut self.last_failure.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A try of a call.
pub(super) struct Try<'a> {
    call: &'a Call,
    /// Whether earlier ones may have created a user.
    may_have_created_user: bool,
}

impl Try<'_> {
    /// Notes that the try was certainly not executed.
    pub(super) fn was_not_executed(&self) {
        self.call
            .may_have_created_user
            .store(self.may_have_created_user, Ordering::Relaxed);
    }

    /// Notes why the try failed.
    pub(super) fn failed(&self, why: &str) {
        *self.call.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = format!("its last try failed: {why}");
    }
}
