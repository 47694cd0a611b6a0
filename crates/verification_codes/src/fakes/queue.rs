//! A queue in memory that fails at a chosen call, for tests.

use crate::{
    azure::CloudError,
    queue::{Delivery, Queue, Receipt, VISIBILITY_TIMEOUT},
};
use async_trait::async_trait;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration as StdDuration,
};
use time::{Duration, OffsetDateTime};
use tokio::time::{advance, pause, resume};

#[derive(Default)]
pub(crate) struct FakeQueue(Mutex<State>);

struct State {
    now: OffsetDateTime,
    messages: Vec<Message>,
    poison: Vec<String>,
    calls: usize,
    failure: Option<FailFrom>,
    deliveries: usize,
    send_duration: StdDuration,
}

struct Message {
    text: String,
    visible: OffsetDateTime,
    dequeue_count: i64,
    pop_receipt: String,
}

/// The call from which on the queue cannot be reached, as if the watcher had ended: that call fails before or after it has
/// taken effect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FailFrom {
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
            deliveries: 0,
            send_duration: StdDuration::ZERO,
        }
    }
}

impl FakeQueue {
    pub(crate) fn set_time(&self, now: OffsetDateTime) {
        self.state().now = now;
    }

    /// Adds a visible message.
    pub(crate) fn add(&self, text: &str) {
        self.state().add(text.to_owned(), OffsetDateTime::UNIX_EPOCH);
    }

    /// Returns all messages, also hidden ones.
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

    /// Counts calls anew, and fails from the given one on.
    pub(crate) fn fail_from(&self, failure: FailFrom) {
        let mut state = self.state();
        state.calls = 0;
        state.failure = Some(failure);
    }

    /// Sets the time that a message takes to be sent.
    pub(crate) fn slow_down(&self, send_duration: StdDuration) {
        self.state().send_duration = send_duration;
    }

    pub(crate) fn recover(&self) {
        self.state().failure = None;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call<T>(&self, effect: impl FnOnce(&mut State) -> T) -> Result<T, CloudError> {
        let mut state = self.state();
        let call = state.calls;
        state.calls += 1;
        let lost = || CloudError::new("the queue cannot be reached");
        match state.failure {
            Some(FailFrom::Before(first)) if call >= first => Err(lost()),
            Some(FailFrom::After(first)) if call > first => Err(lost()),
            Some(FailFrom::After(first)) if call == first => {
                effect(&mut state);
                Err(lost())
            }
            _ => Ok(effect(&mut state)),
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

    fn receive(&mut self) -> Vec<Delivery> {
        let Self {
            now,
            messages,
            deliveries,
            ..
        } = self;
        let visible = messages.iter_mut().filter(|message| message.visible <= *now).take(32);
        visible
            .map(|message| {
                *deliveries += 1;
                message.visible = *now + VISIBILITY_TIMEOUT;
                message.dequeue_count += 1;
                message.pop_receipt = deliveries.to_string();
                Delivery {
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
    async fn send(&self, text: String, delay: Duration) -> Result<(), CloudError> {
        let duration = self.state().send_duration;
        if !duration.is_zero() {
            // The clock runs again for the table, whose threads a paused one would not wait for.
            pause();
            advance(duration).await;
            resume();
        }
        self.call(|state| state.add(text, state.now + delay))
    }

    async fn receive(&self) -> Result<Vec<Delivery>, CloudError> {
        self.call(State::receive)
    }

    async fn delete(&self, receipt: &Receipt) -> Result<(), CloudError> {
        self.call(|state| {
            let receipt = &receipt.pop_receipt;
            state.messages.retain(|message| message.pop_receipt != *receipt);
        })
    }

    async fn hide(&self, receipt: &Receipt, delay: Duration) -> Result<(), CloudError> {
        self.call(|state| {
            let visible = state.now + delay;
            let received = state.messages.iter_mut();
            for message in received.filter(|message| message.pop_receipt == receipt.pop_receipt) {
                message.visible = visible;
            }
        })
    }

    async fn send_poison(&self, text: String) -> Result<(), CloudError> {
        self.call(|state| state.poison.push(text))
    }
}
