//! What a process remembers of one user, and whose turn it is to ask for more.

use crate::{error::ApiError, policy::Grant, store::Mapping};
use azure_communication_identity::CommunicationAccessToken;
use azure_core::time::{Duration, OffsetDateTime};
use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
};
use tokio::{
    sync::{Mutex, OwnedMutexGuard},
    time::Instant,
};

/// How long a mapping is taken for granted: what another replica has revoked is handed out no longer than this.
const TRUSTED: Duration = Duration::seconds(5);

/// What has to be left of a token that is handed out. The clients of Azure Communication Services ask for another one ten
/// minutes before the end.
const REST: Duration = Duration::minutes(15);

/// A user's mapping and tokens.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    known: RwLock<Option<Known>>,
    turn: Arc<Mutex<Turn>>,
}

#[derive(Debug)]
struct Known {
    mapping: Mapping,
    checked: OffsetDateTime,
    tokens: HashMap<Grant, Arc<CommunicationAccessToken>>,
}

/// Held by whoever asks the database or Azure Communication Services in a user's matter.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    failed: Option<Failed>,
}

/// What a turn is taken for, where others may wait for the same.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Work {
    SignIn,
    Token(Grant),
}

/// The last attempt, if something has failed that everybody needs.
#[derive(Debug)]
struct Failed {
    work: Work,
    at: Instant,
    error: ApiError,
}

impl Slot {
    /// Waits for the turn.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<Turn> {
        self.turn.clone().lock_owned().await
    }

    /// Waits for the turn to do what others may wait for, too. Who has waited while an attempt at the same failed shares its
    /// failure, so that a crowd is told at once and does not try one after another.
    pub(crate) async fn turn_for(&self, work: &Work) -> Result<OwnedMutexGuard<Turn>, ApiError> {
        let arrived = Instant::now();
        let turn = self.turn().await;
        match &turn.failed {
            Some(failed) if failed.work == *work && failed.at >= arrived => Err(failed.error.clone()),
            _ => Ok(turn),
        }
    }

    /// A token that is good for a while, if the mapping was checked a moment ago.
    pub(crate) fn token(&self, grant: &Grant, now: OffsetDateTime) -> Option<(Mapping, Arc<CommunicationAccessToken>)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref().filter(|known| known.is_trusted(now))?;
        Some((known.mapping.clone(), known.token(grant, now)?))
    }

    /// Learns the mapping as it is in the database `now`, and finds a token of it. Tokens of another one are forgotten.
    pub(crate) fn learn(
        &self,
        mapping: &Mapping,
        grant: &Grant,
        now: OffsetDateTime,
    ) -> Option<Arc<CommunicationAccessToken>> {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *known {
            Some(known) if known.mapping == *mapping => {
                known.checked = now;
                known.token(grant, now)
            }
            _ => {
                *known = Some(Known {
                    mapping: mapping.clone(),
                    checked: now,
                    tokens: HashMap::new(),
                });
                None
            }
        }
    }

    /// Keeps a token of this mapping, and drops those that are good no longer.
    pub(crate) fn keep(
        &self,
        mapping: &Mapping,
        grant: Grant,
        token: Arc<CommunicationAccessToken>,
        now: OffsetDateTime,
    ) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = known.as_mut().filter(|known| known.mapping == *mapping) {
            known.tokens.retain(|_, token| is_good(token.expires_on, now));
            known.tokens.insert(grant, token);
        }
    }

    /// Forgets everything.
    pub(crate) fn forget(&self) {
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl Known {
    fn is_trusted(&self, now: OffsetDateTime) -> bool {
        // Not by a clock that has been set back, either.
        (Duration::ZERO..TRUSTED).contains(&(now - self.checked))
    }

    fn token(&self, grant: &Grant, now: OffsetDateTime) -> Option<Arc<CommunicationAccessToken>> {
        let token = self.tokens.get(grant)?;
        is_good(token.expires_on, now).then(|| token.clone())
    }
}

impl Turn {
    /// Notes a failure for those who wait for the same.
    pub(crate) fn note<T>(&mut self, work: Work, outcome: Result<T, ApiError>) -> Result<T, ApiError> {
        let upstream = outcome.as_ref().err().filter(|error| error.is_upstream());
        self.failed = upstream.map(|error| Failed {
            work,
            at: Instant::now(),
            error: error.clone(),
        });
        outcome
    }
}

/// Whether enough is left of a token.
pub(crate) fn is_good(expires_on: OffsetDateTime, now: OffsetDateTime) -> bool {
    expires_on - now > REST
}
