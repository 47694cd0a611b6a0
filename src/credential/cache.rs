//! A token, and all that is known of when and how to refresh it.

use super::{
    background::{Background, Step},
    check,
    schedule::{self, Failures},
    shared_error::SharedError,
    single_flight::{Flight, SingleFlight, unpanicked},
};
use crate::{auth::Clock, models::CommunicationAccessToken};
use azure_core::{Error, Result, time::OffsetDateTime};
use futures::future::{BoxFuture, Either};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Asks the source for a new token.
pub(super) type Refresher = Arc<dyn Fn() -> BoxFuture<'static, Result<CommunicationAccessToken>> + Send + Sync>;

/// The token of a credential that refreshes it, shared by the credential's clones.
///
/// A task and a refresh under way know it by a weak reference only, so that both end with the last clone.
pub(super) struct Cache {
    refresher: Refresher,
    proactive: bool,
    clock: Clock,
    state: Mutex<State>,
    me: Weak<Self>,
}

struct State {
    token: Option<CommunicationAccessToken>,
    /// When the next refresh is due, after a success as after a failure.
    refresh_at: OffsetDateTime,
    /// The refreshes that have failed since the last that succeeded.
    failures: Failures,
    refresh: SingleFlight<CommunicationAccessToken>,
    background: Option<Background>,
}

impl Cache {
    /// With `proactive`, the first refresh is due at once if there is no initial token that lives.
    pub(super) fn new(
        refresher: Refresher,
        initial_token: Option<CommunicationAccessToken>,
        proactive: bool,
        clock: Clock,
    ) -> Arc<Self> {
        let now = clock.now();
        let expires_on = initial_token.as_ref().map(|token| token.expires_on);
        let refresh_at = match expires_on.filter(|expires_on| *expires_on > now) {
            Some(expires_on) if proactive => schedule::refresh_at(expires_on, now, schedule::PROACTIVE),
            // Asked for in its last two minutes, it is refreshed at once: the source has not been asked before.
            Some(expires_on) => expires_on.saturating_sub(schedule::ON_DEMAND),
            None => now,
        };
        Arc::new_cyclic(|me| Self {
            refresher,
            proactive,
            clock,
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

    /// Returns the token at once while it lives, and otherwise waits for a refresh.
    pub(super) async fn token(&self) -> Result<CommunicationAccessToken> {
        match self.token_or_refresh() {
            Either::Left(token) => Ok(token),
            Either::Right(refresh) => refresh.land().await.map_err(SharedError::into_error),
        }
    }

    fn token_or_refresh(&self) -> Either<CommunicationAccessToken, Flight<CommunicationAccessToken>> {
        let now = self.clock.now();
        let mut state = self.state();
        let Some(token) = state.living_token(now).cloned() else {
            return Either::Right(self.join_refresh(&mut state));
        };
        if self.proactive || now >= state.refresh_at {
            // Where no task can be spawned, the refresh is left to whoever finds the token expired.
            let _ = self.work_in_background(&mut state);
        }
        Either::Left(token)
    }

    /// Starts the task that refreshes the token, unless there is one.
    pub(super) fn start(&self) -> Result<()> {
        self.work_in_background(&mut self.state())
    }

    fn work_in_background(&self, state: &mut State) -> Result<()> {
        if !state.background.as_ref().is_some_and(Background::is_running) {
            state.background = Some(Background::start(self.me.clone())?);
        }
        Ok(())
    }

    /// What the task is to do next.
    pub(super) fn next_step(&self) -> Step {
        let now = self.clock.now();
        let mut state = self.state();
        let step = if !state.failures.is_zero() && state.living_token(now).is_none() {
            // From here on, whoever asks for the token sees the failures, and decides how often to try.
            Step::End
        } else if now >= state.refresh_at {
            Step::Refresh(self.join_refresh(&mut state))
        } else if self.proactive {
            Step::Wait(state.refresh_at - now)
        } else {
            Step::End
        };
        if matches!(step, Step::End) {
            // Under the same lock, so that whoever needs the task next finds that there is none.
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
            // Nobody is there to keep it for if the last clone was dropped in the meantime.
            let Some(cache) = cache.upgrade() else { return outcome };
            cache.keep(outcome)
        })
    }

    /// Keeps what a refresh has brought, and plans the next.
    fn keep(&self, outcome: Result<CommunicationAccessToken>) -> Result<CommunicationAccessToken> {
        let now = self.clock.now();
        let outcome = outcome.and_then(|token| check::obtained(token, now, "the refresher"));
        let mut state = self.state();
        match &outcome {
            Ok(token) => {
                let window = if self.proactive {
                    schedule::PROACTIVE
                } else {
                    schedule::ON_DEMAND
                };
                state.refresh_at = schedule::refresh_at(token.expires_on, now, window);
                state.token = Some(token.clone());
                state.failures = Failures::default();
                if self.proactive {
                    // Where no task can be spawned, the next to ask for the token tries again.
                    let _ = self.work_in_background(&mut state);
                }
            }
            Err(error) => state.failed(now, error),
        }
        outcome
    }

    /// Plans the next refresh after one that the task has given up.
    pub(super) fn failed(&self, error: &Error) {
        self.state().failed(self.clock.now(), error);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn living_token(&self, now: OffsetDateTime) -> Option<&CommunicationAccessToken> {
        self.token.as_ref().filter(|token| token.expires_on > now)
    }

    fn failed(&mut self, now: OffsetDateTime, error: &Error) {
        self.refresh_at = self.failures.add(error, now);
    }
}
