//! The task that refreshes a token ahead.

use super::{cache::Cache, single_flight::Flight};
use crate::{
    error::{CommunicationError, excerpt},
    models::CommunicationAccessToken,
    runtime::Task,
};
use azure_core::{Error, Result, error::ErrorKind, sleep, time::Duration};
use futures::future::{Either, select};
use std::{pin::pin, sync::Weak};

/// The longest sleep at a time. A machine that is suspended stops the clock of sleeps, but not the one that tokens
/// expire by.
const MAX_SLEEP: Duration = Duration::minutes(5);

/// How long the task waits for a refresh: more than the two minutes that the client of the service takes by default. When
/// it gives up, callers decide how long they wait.
const REFRESH_TIMEOUT: Duration = Duration::minutes(3);

/// The next step of the task.
pub(super) enum Step {
    /// Refreshes the token, or joins a refresh.
    Refresh(Flight<CommunicationAccessToken>),
    /// Sleeps until the next refresh is due.
    Wait(Duration),
    /// Ends. A new task starts when there is something to do.
    End,
}

/// Starts the task that refreshes the token of a cache.
pub(super) fn start(cache: Weak<Cache>) -> Result<Task> {
    Task::spawn(work(cache))
}

async fn work(cache: Weak<Cache>) {
    while let Some(step) = cache.upgrade().map(|cache| cache.next_step()) {
        match step {
            Step::Refresh(refresh) => match select(pin!(refresh.wait()), pin!(sleep(REFRESH_TIMEOUT))).await {
                Either::Left((Ok(_), _)) => {}
                Either::Left((Err(error), _)) => warn(error.as_ref()),
                Either::Right(_) => {
                    let error = Error::with_message(ErrorKind::Other, format!("it took longer than {REFRESH_TIMEOUT}"));
                    warn(&error);
                    if let Some(cache) = cache.upgrade() {
                        cache.failed(&error.into());
                    }
                }
            },
            Step::Wait(duration) => sleep(duration.min(MAX_SLEEP)).await,
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

/// The text of an error that may be logged. This crate's own hold nothing secret; a refresher's may repeat what it received.
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
