//! The cached token of a credential, and its refreshes.

use super::{
    background::{self, Step},
    check,
    schedule::{self, Failures, Jitter},
    shared_error::{SharedError, SharedResult},
    single_flight::{Flight, SingleFlight, unpanicked},
};
use crate::{auth::Clock, models::CommunicationAccessToken, runtime::Task};
use azure_core::{Result, time::OffsetDateTime};
use futures::future::BoxFuture;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

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
    /// When the next refresh is due, after a success as after a failure.
    refresh_at: OffsetDateTime,
    /// The refreshes that have failed since the last that succeeded.
    failures: Failures,
    hold: Option<Hold>,
    refresh: SingleFlight<CommunicationAccessToken>,
    background: Option<Task>,
}

/// A failure that callers get until the service may be asked again.
pub(super) struct Hold {
    error: SharedError,
    until: OffsetDateTime,
}

impl Hold {
    /// Returns a hold if the service asked for a wait in a failure.
    pub(super) fn after(error: &SharedError, now: OffsetDateTime) -> Option<Self> {
        Some(Self {
            until: schedule::hold_until(error.as_ref(), now)?,
            error: error.clone(),
        })
    }

    /// The failure, until the wait is over.
    pub(super) fn error(&self, now: OffsetDateTime) -> Option<SharedError> {
        (now < self.until).then(|| self.error.clone())
    }
}

/// What a caller gets.
enum Answer {
    Token(CommunicationAccessToken),
    Refresh(Flight<CommunicationAccessToken>),
    Failure(SharedError),
}

impl Cache {
    /// With `proactive`, the first refresh is due at once if there is no initial token that lives.
    pub(super) fn new(
        refresher: Refresher,
        initial_token: Option<CommunicationAccessToken>,
        proactive: bool,
        clock: Clock,
        jitter: Jitter,
    ) -> Arc<Self> {
        let now = clock.now();
        let expires_on = initial_token.as_ref().map(|token| token.expires_on);
        let refresh_at = match expires_on.filter(|expires_on| *expires_on > now) {
            Some(expires_on) if proactive => schedule::refresh_at(expires_on, now, schedule::PROACTIVE, jitter()),
            // Asked for in its last two minutes, it is refreshed at once: the source has not been asked before.
            Some(expires_on) => expires_on.saturating_sub(schedule::ON_DEMAND),
            None => now,
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
                hold: None,
                refresh: SingleFlight::default(),
                background: None,
            }),
            me: me.clone(),
        })
    }

    /// Returns the token at once while it lives, and otherwise waits for a refresh.
    pub(super) async fn token(&self) -> Result<CommunicationAccessToken> {
        match self.answer() {
            Answer::Token(token) => Ok(token),
            Answer::Refresh(refresh) => refresh.wait().await.map_err(SharedError::into_error),
            Answer::Failure(error) => Err(error.into_error()),
        }
    }

    fn answer(&self) -> Answer {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(token) = state.living_token(now).cloned() else {
            if self.proactive {
                let _ = self.work_in_background(&mut state);
            }
            return match state.hold.as_ref().and_then(|hold| hold.error(now)) {
                Some(error) => Answer::Failure(error),
                None => Answer::Refresh(self.join_refresh(&mut state)),
            };
        };
        if self.proactive || now >= state.refresh_at {
            // Where no task can be spawned, the caller who finds the token expired refreshes it.
            let _ = self.work_in_background(&mut state);
        }
        Answer::Token(token)
    }

    /// Starts the task that refreshes the token, unless there is one.
    pub(super) fn start(&self) -> Result<()> {
        self.work_in_background(&mut self.state())
    }

    fn work_in_background(&self, state: &mut State) -> Result<()> {
        if !state.background.as_ref().is_some_and(Task::is_running) {
            state.background = Some(background::start(self.me.clone())?);
        }
        Ok(())
    }

    /// The next step of the task.
    pub(super) fn next_step(&self) -> Step {
        let now = self.clock.now();
        let mut state = self.state();
        let is_left_to_callers = !self.proactive && !state.failures.is_zero() && state.living_token(now).is_none();
        let step = if is_left_to_callers {
            Step::End
        } else if now >= state.refresh_at {
            Step::Refresh(self.join_refresh(&mut state))
        } else if self.proactive {
            Step::Wait(state.refresh_at - now)
        } else {
            Step::End
        };
        if matches!(step, Step::End) {
            // Under the same lock, so that the next caller who needs the task finds that there is none.
            state.background = None;
        }
        step
    }

    fn join_refresh(&self, state: &mut State) -> Flight<CommunicationAccessToken> {
        let (refresher, cache) = (self.refresher.clone(), self.me.clone());
        state.refresh.join(|| async move {
            // A panic counts as a failure, so that the next refresh waits as after one.
            let outcome = unpanicked(async move {
                let answer = refresher();
                drop(refresher);
                answer.await
            })
            .await;
            match cache.upgrade() {
                Some(cache) => cache.complete(outcome),
                // The last clone of the credential is gone.
                None => outcome.map_err(SharedError::from),
            }
        })
    }

    /// Stores the outcome of a refresh, and plans the next.
    fn complete(&self, outcome: Result<CommunicationAccessToken>) -> SharedResult<CommunicationAccessToken> {
        let now = self.clock.now();
        let outcome = outcome.and_then(|token| check::obtained(token, now, "the refresher"));
        match outcome {
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
                state.hold = None;
                if self.proactive {
                    // Where no task can be spawned, the next caller tries again.
                    let _ = self.work_in_background(&mut state);
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
    pub(super) fn failed(&self, error: &SharedError) {
        let now = self.clock.now();
        let mut state = self.state();
        state.refresh_at = state.failures.add(error.as_ref(), now, (self.jitter)());
        state.hold = Hold::after(error, now);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn living_token(&self, now: OffsetDateTime) -> Option<&CommunicationAccessToken> {
        self.token.as_ref().filter(|token| token.expires_on > now)
    }
}
