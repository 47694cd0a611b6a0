//! A queue in memory, which fails when a test wants it to.

use crate::{
    cloud_error::CloudError,
    queue::{Queue, Receipt, Received},
};
use async_trait::async_trait;
use std::sync::{Mutex, MutexGuard, PoisonError};
use time::{Duration, OffsetDateTime};

#[derive(Default)]
pub(crate) struct FakeQueue(Mutex<State>);

struct State {
    now: OffsetDateTime,
    messages: Vec<Message>,
    poison: Vec<String>,
    calls: usize,
    failure: Option<Moment>,
    given: usize,
}

struct Message {
    text: String,
    visible: OffsetDateTime,
    dequeue_count: i64,
    pop_receipt: String,
}

/// When the queue is no longer to be reached, as if the watcher had ended: before it did what the call with this number
/// asks for, or after that and before it answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moment {
    Before(usize),
    After(usize),
}

impl Default for State {
    fn default() -> Self {
        Self {
            now: OffsetDateTime::UNIX_EPOCH,
            messages: Vec::new(),
            poison: Vec::new(),
            calls: 0,
            failure: None,
            given: 0,
        }
    }
}

impl FakeQueue {
    pub(crate) fn set_time(&self, now: OffsetDateTime) {
        self.state().now = now;
    }

    /// Adds a message that is there from the beginning.
    pub(crate) fn put(&self, text: &str) {
        self.state().add(text.to_owned(), OffsetDateTime::UNIX_EPOCH);
    }

    /// All messages, those that are hidden too.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.state()
            .messages
            .iter()
            .map(|message| message.text.clone())
            .collect()
    }

    pub(crate) fn poison(&self) -> Vec<String> {
        self.state().poison.clone()
    }

    pub(crate) fn calls(&self) -> usize {
        self.state().calls
    }

    /// Counts calls from here, and fails from this moment on.
    pub(crate) fn fail_from(&self, moment: Moment) {
        let mut state = self.state();
        state.calls = 0;
        state.failure = Some(moment);
    }

    pub(crate) fn recover(&self) {
        self.state().failure = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(&self, carry_out: impl FnOnce(&mut State) -> T) -> Result<T, CloudError> {
        let mut state = self.state();
        let call = state.calls;
        state.calls += 1;
        let lost = || CloudError::other("the queue is not to be reached");
        match state.failure {
            Some(Moment::Before(first)) if call >= first => Err(lost()),
            Some(Moment::After(first)) if call > first => Err(lost()),
            Some(Moment::After(first)) if call == first => {
                carry_out(&mut state);
                Err(lost())
            }
            _ => Ok(carry_out(&mut state)),
        }
    }
}

impl State {
    fn add(&mut self, text: String, visible: OffsetDateTime) {
        self.messages.push(Message {
            text,
            visible,
            dequeue_count: 0,
            pop_receipt: String::new(),
        });
    }

    fn give(&mut self) -> Vec<Received> {
        let Self {
            now, messages, given, ..
        } = self;
        let visible = messages.iter_mut().filter(|message| message.visible <= *now).take(32);
        visible
            .map(|message| {
                *given += 1;
                message.visible = *now + Duration::seconds(30);
                message.dequeue_count += 1;
                message.pop_receipt = given.to_string();
                Received {
                    text: message.text.clone(),
                    dequeue_count: message.dequeue_count,
                    receipt: Receipt {
                        message_id: "1".to_owned(),
                        pop_receipt: message.pop_receipt.clone(),
                    },
                }
            })
            .collect()
    }
}

#[async_trait]
impl Queue for FakeQueue {
    async fn send(&self, text: String, hidden: Duration) -> Result<(), CloudError> {
        self.call(|state| state.add(text, state.now + hidden))
    }

    async fn receive(&self) -> Result<Vec<Received>, CloudError> {
        self.call(State::give)
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), CloudError> {
        self.call(|state| {
            let receipt = &receipt.pop_receipt;
            state.messages.retain(|message| message.pop_receipt != *receipt);
        })
    }

    async fn set_aside(&self, text: String) -> Result<(), CloudError> {
        self.call(|state| state.poison.push(text))
    }
}
