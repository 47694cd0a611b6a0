//! The state of a call, which the policies of its attempts share.

use azure_core::time::Duration;
use std::{
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// The effect of executing a call's request a second time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Idempotency {
    /// None: the request is retried after every transient failure.
    Idempotent,
    /// Another user, which the client's options accept.
    Duplicating,
    /// Another user: the request must not be executed twice.
    AtMostOnce,
}

/// A call, in the [`Context`](azure_core::http::Context) of its attempts.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) idempotency: Idempotency,
    /// When the call times out, by the stopwatch of the client's clock.
    pub(super) deadline: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How far the current attempt has come.
    progress: Progress,
    /// Whether an attempt may have created a user.
    may_have_created_user: bool,
    last_failure: String,
}

/// How far an attempt has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Progress {
    #[default]
    NotSent,
    /// Handed to the transport.
    Sent,
    /// The head of a response has arrived.
    Answered,
}

impl Call {
    pub(crate) fn new(idempotency: Idempotency, deadline: Option<Duration>) -> Self {
        Self {
            idempotency,
            deadline,
            state: Mutex::default(),
        }
    }

    /// Whether an attempt, finished or not, may have created a user.
    pub(crate) fn may_have_created_user(&self) -> bool {
        self.state().may_have_created_user
    }

    /// The failure of the last attempt; empty if none has failed.
    pub(crate) fn take_last_failure(&self) -> String {
        mem::take(&mut self.state().last_failure)
    }

    pub(super) fn begin_attempt(&self) -> Attempt<'_> {
        let mut state = self.state();
        state.progress = Progress::NotSent;
        Attempt {
            call: self,
            earlier_may_have_created_user: state.may_have_created_user,
        }
    }

    /// Records that the transport gets the request. Until the attempt has ended, its effect is unknown.
    pub(super) fn sent(&self) {
        let mut state = self.state();
        state.progress = Progress::Sent;
        state.may_have_created_user |= self.idempotency != Idempotency::Idempotent;
    }

    /// Records that the head of a response has arrived.
    pub(super) fn answered(&self) {
        self.state().progress = Progress::Answered;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An attempt of a call.
pub(super) struct Attempt<'a> {
    call: &'a Call,
    earlier_may_have_created_user: bool,
}

impl Attempt<'_> {
    pub(super) fn progress(&self) -> Progress {
        self.call.state().progress
    }

    /// Records how the attempt failed, and whether the service may have executed it.
    pub(super) fn failed(&self, reason: &str, may_have_been_executed: bool) {
        let mut state = self.call.state();
        state.last_failure = format!("its last attempt failed: {reason}");
        if !may_have_been_executed {
            state.may_have_created_user = self.earlier_may_have_created_user;
        }
    }
}
