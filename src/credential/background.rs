//! The task that refreshes a token before somebody has to wait for it.

use super::{cache::Cache, single_flight::Flight};
use crate::{
    error::{CommunicationError, excerpt},
    models::CommunicationAccessToken,
    runtime,
};
use azure_core::{Error, Result, async_runtime::SpawnedTask, error::ErrorKind, sleep, time::Duration};
use futures::{
    channel::oneshot,
    future::{Either, select},
};
use std::{convert::Infallible, pin::pin, sync::Weak};

/// The longest sleep at a time. A machine that is suspended stops the clock of sleeps, but not the one that tokens
/// expire by.
const LONGEST_SLEEP: Duration = Duration::minutes(5);

/// The longest that the task waits for a refresh: more than the two minutes that the client of the service takes by
/// default. When it gives up, those who ask for the token decide how long they wait.
const LONGEST_REFRESH: Duration = Duration::minutes(3);

/// What the task does next.
pub(super) enum Step {
    /// Refreshes the token, or waits for those who do.
    Refresh(Flight<CommunicationAccessToken>),
    /// Sleeps until the next refresh is due.
    Wait(Duration),
    /// Ends. There will be a new task when there is something to do.
    End,
}

/// A running task. It ends when this is dropped, also on a runtime that cannot abort one.
pub(super) struct Background {
    alive: oneshot::Sender<Infallible>,
    _task: SpawnedTask,
}

impl Background {
    pub(super) fn start(cache: Weak<Cache>) -> Result<Self> {
        let (alive, dropped) = oneshot::channel();
        let task = runtime::spawn(async move {
            select(Box::pin(work(cache)), dropped).await;
        })?;
        Ok(Self { alive, _task: task })
    }

    /// Whether the task is there: not after it has ended, and not after its runtime has.
    pub(super) fn is_running(&self) -> bool {
        !self.alive.is_canceled()
    }
}

async fn work(cache: Weak<Cache>) {
    while let Some(step) = cache.upgrade().map(|cache| cache.next_step()) {
        match step {
            Step::Refresh(refresh) => match select(pin!(refresh.land()), pin!(sleep(LONGEST_REFRESH))).await {
                Either::Left((Ok(_), _)) => {}
                Either::Left((Err(error), _)) => warn(error.as_ref()),
                Either::Right(_) => {
                    let error = Error::with_message(ErrorKind::Other, format!("it took longer than {LONGEST_REFRESH}"));
                    warn(&error);
                    if let Some(cache) = cache.upgrade() {
                        cache.failed(&error);
                    }
                }
            },
            Step::Wait(duration) => sleep(duration.min(LONGEST_SLEEP)).await,
            Step::End => return,
        }
    }
}

fn warn(error: &Error) {
    tracing::warn!(
        error = loggable(error),
        "an access token could not be refreshed in the background"
    );
}

/// What may be logged of an error. This crate's own say nothing secret; a refresher's may repeat what it received.
pub(super) fn loggable(error: &Error) -> String {
    match CommunicationError::from_error(error) {
        Some(error) => error.to_string(),
        None => format!(
            "{}: {}",
            error.kind(),
            excerpt(error.to_string().as_bytes()).unwrap_or_default()
        ),
    }
}
