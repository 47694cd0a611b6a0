//! The cached token of a credential, and its refreshes.

use super::schedule::{self, Failures, Jitter};
use crate::{
    error::{CommunicationError, excerpt, invalid_argument},
    models::CommunicationAccessToken,
};
use azure_core::{
    Error, Result,
    error::ErrorKind,
    sleep,
    time::{Duration, OffsetDateTime},
};
use client_core::{
    clock::Clock,
    runtime::{Task, timeout},
    single_flight::{InFlight, SharedError, SharedResult, SingleFlight, catch_panic},
};
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// The longest sleep at a time. A machine that is suspended stops the clock of sleeps, but not the one that tokens
/// expire by.
const MAX_SLEEP: Duration = Duration::minutes(5);

/// The longest time that the task waits for a refresh: more than the two minutes that the client of the service takes by
/// default. When it gives up, callers decide how long they wait.
const REFRESH_TIMEOUT: Duration = Duration::minutes(3);

/// A function that gets a new token.
pub(super) type Refresher = Arc<dyn Fn() -> BoxFuture<'static, Result<CommunicationAccessToken>> + Send + Sync>;

/// The token of a credential that refreshes it, shared by the credential's clones.
///
/// The task and a refresh in flight hold weak references only, so that both end with the last clone.
pub(super) struct Cache {
    refresher: Refresher,
    proactive: bool,
    clock: Clock,
    jitter: Jitter,
    state: Mutex<State>,
    me: Weak<Self>,
}

struct State {
    token: Option<CommunicationAccessToken>,
    /// The time of the next refresh.
    refresh_at: OffsetDateTime,
    failures: Failures,
    refresh: SingleFlight<CommunicationAccessToken>,
    background: Option<Task>,
}

impl State {
    fn valid_token(&self, now: OffsetDateTime) -> Option<&CommunicationAccessToken> {
        self.token.as_ref().filter(|token| token.expires_on > now)
    }
}

/// The result of a look at the cache.
enum Lookup {
    Token(CommunicationAccessToken),
    Refresh(InFlight<CommunicationAccessToken>),
    Failure(SharedError),
}

/// The next step of the task in the background.
enum Step {
    Refresh(InFlight<CommunicationAccessToken>),
    Sleep(Duration),
    /// A new task starts when there is something to do.
    End,
}

impl Cache {
    /// Creates a cache. With `proactive`, the first refresh is due at once if there is no valid initial token.
    pub(super) fn new(
        refresher: Refresher,
        initial_token: Option<CommunicationAccessToken>,
        proactive: bool,
        clock: Clock,
        jitter: Jitter,
    ) -> Arc<Self> {
        let now = clock.now();
        let refresh_at = match &initial_token {
            Some(token) if proactive && token.expires_on > now => {
                schedule::refresh_at(token.expires_on, now, schedule::PROACTIVE, jitter())
            }
            Some(token) if token.expires_on - now > schedule::ON_DEMAND => {
                schedule::refresh_at(token.expires_on, now, schedule::ON_DEMAND, jitter())
            }
            // In its last two minutes it is refreshed at once: the source has not been asked before.
            _ => now,
        };
        Arc::new_cyclic(|me| Self {
            refresher,
            proactive,
            clock,
            jitter,
            state: Mutex::new(State {
                token: initial_token,
                refresh_at,
                failures: Failures::default(),
                refresh: SingleFlight::default(),
                background: None,
            }),
            me: me.clone(),
        })
    }

    /// Returns the token at once while it is valid, and otherwise waits for a refresh.
    pub(super) async fn token(&self) -> Result<CommunicationAccessToken> {
        match self.look_up() {
            Lookup::Token(token) => Ok(token),
            Lookup::Refresh(refresh) => refresh.result().await.map_err(SharedError::into_error),
            Lookup::Failure(error) => Err(error.into_error()),
        }
    }

    fn look_up(&self) -> Lookup {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(token) = state.valid_token(now).cloned() else {
            if self.proactive {
                let _ = self.ensure_task(&mut state);
            }
            return match state.failures.held(self.clock.elapsed()) {
                Some(error) => Lookup::Failure(error),
                None => Lookup::Refresh(self.join_refresh(&mut state)),
            };
        };
        if self.proactive || now >= state.refresh_at {
            // Where no task can be spawned, the caller who finds the token expired refreshes it.
            let _ = self.ensure_task(&mut state);
        }
        Lookup::Token(token)
    }

    /// Starts the task that refreshes the token, if it does not run.
    pub(super) fn start(&self) -> Result<()> {
        self.ensure_task(&mut self.state())
    }

    fn ensure_task(&self, state: &mut State) -> Result<()> {
        if !state.background.as_ref().is_some_and(Task::is_running) {
            state.background = Some(Task::spawn(refresh_in_background(self.me.clone()))?);
        }
        Ok(())
    }

    fn next_step(&self) -> Step {
        let now = self.clock.now();
        let mut state = self.state();
        let wait = (state.refresh_at - now).max(state.failures.wait(self.clock.elapsed()));
        let is_left_to_callers = !self.proactive && !state.failures.is_empty() && state.valid_token(now).is_none();
        let step = if is_left_to_callers {
            Step::End
        } else if !wait.is_positive() {
            Step::Refresh(self.join_refresh(&mut state))
        } else if self.proactive {
            Step::Sleep(wait.min(MAX_SLEEP))
        } else {
            Step::End
        };
        if matches!(step, Step::End) {
            // Under the same lock, so that the next caller who needs the task starts it.
            state.background = None;
        }
        step
    }

    fn join_refresh(&self, state: &mut State) -> InFlight<CommunicationAccessToken> {
        let (refresher, cache) = (self.refresher.clone(), self.me.clone());
        state.refresh.join(|| async move {
            // A panic counts as a failure, so that the next refresh waits as after one.
            let result = catch_panic(async move {
                let token = refresher();
                drop(refresher);
                token.await
            })
            .await;
            match cache.upgrade() {
                Some(cache) => cache.complete(result),
                // The last clone of the credential is gone.
                None => result.map_err(SharedError::from),
            }
        })
    }

    /// Stores the result of a refresh, and plans the next.
    fn complete(&self, result: Result<CommunicationAccessToken>) -> SharedResult<CommunicationAccessToken> {
        let now = self.clock.now();
        let result = result.and_then(|token| checked(token, now, "the refresher"));
        match result {
            Ok(token) => {
                let window = if self.proactive {
                    schedule::PROACTIVE
                } else {
                    schedule::ON_DEMAND
                };
                let mut state = self.state();
                state.refresh_at = schedule::refresh_at(token.expires_on, now, window, (self.jitter)());
                state.token = Some(token.clone());
                state.failures = Failures::default();
                if self.proactive {
                    // Where no task can be spawned, the next caller tries again.
                    let _ = self.ensure_task(&mut state);
                }
                Ok(token)
            }
            Err(error) => {
                let error = SharedError::from(error);
                self.failed(&error);
                Err(error)
            }
        }
    }

    /// Plans the next refresh after one that failed, or that the task has given up.
    fn failed(&self, error: &SharedError) {
        self.state().failures.add(error, self.clock.elapsed(), (self.jitter)());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refreshes the token of a cache until there is nothing to do, or the cache is gone.
async fn refresh_in_background(cache: Weak<Cache>) {
    while let Some(step) = cache.upgrade().map(|cache| cache.next_step()) {
        match step {
            Step::Refresh(refresh) => match timeout(Some(REFRESH_TIMEOUT), refresh.result()).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => warn_of_failed_refresh(error.as_ref()),
                Err(timeout) => {
                    let error = Error::with_message(ErrorKind::Other, format!("it took longer than {timeout}"));
                    warn_of_failed_refresh(&error);
                    if let Some(cache) = cache.upgrade() {
                        cache.failed(&error.into());
                    }
                }
            },
            Step::Sleep(duration) => sleep(duration).await,
            Step::End => return,
        }
    }
}

fn warn_of_failed_refresh(error: &Error) {
    tracing::warn!(
        error = loggable(error),
        "an access token could not be refreshed in the background"
    );
}

/// Returns the text of an error that may be logged. This crate's own hold nothing secret; a refresher's may repeat what it
/// received.
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

/// Refuses an empty token of the caller.
pub(super) fn check_initial(token: &CommunicationAccessToken) -> Result<()> {
    if token.token.secret().is_empty() {
        return Err(invalid_argument("the token is empty"));
    }
    Ok(())
}

/// Refuses an empty or expired token of a source, which the error names.
pub(super) fn checked(
    token: CommunicationAccessToken,
    now: OffsetDateTime,
    source: &str,
) -> Result<CommunicationAccessToken> {
    let refused = |text| Err(Error::with_message(ErrorKind::Credential, text));
    if token.token.secret().is_empty() {
        return refused(format!("{source} gave an empty token"));
    }
    if token.expires_on <= now {
        return refused(format!(
            "{source} gave a token that has already expired, on {}, and it is {now} here: a new one is needed each time, \
             and this machine's clock must be right",
            token.expires_on
        ));
    }
    Ok(token)
}
