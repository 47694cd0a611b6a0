//! The configuration of a fake sidecar, and its records.

use crate::{
    api::{ApiRequest, DownstreamApi},
    overrides::AllowOverrides,
    token::{self, Acquisition, TokenCache},
};
use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A request to the sidecar.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedRequest {
    /// The method.
    pub method: String,
    /// The path, still percent-encoded.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The headers, by their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: String,
}

/// An injected failure.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(crate) effect: Effect,
    pub(crate) retry_after: Option<Duration>,
}

/// The effect of a fault.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Effect {
    /// A status, and nothing is executed.
    Before(u16),
    /// A status after the request has been executed.
    After(u16),
    /// No response at all.
    Silence,
}

impl Fault {
    /// A status instead of the request's execution.
    #[must_use]
    pub fn before(status: u16) -> Self {
        Self::new(Effect::Before(status))
    }

    /// A status after the request has been executed.
    #[must_use]
    pub fn after(status: u16) -> Self {
        Self::new(Effect::After(status))
    }

    /// The sidecar's response to a caller on another machine: a 403 without a body, also from `/Validate`.
    #[must_use]
    pub fn not_local() -> Self {
        Self::before(403)
    }

    /// No response, on a connection that stays open.
    #[must_use]
    pub fn silence() -> Self {
        Self::new(Effect::Silence)
    }

    /// Adds a `Retry-After` header.
    ///
    /// # Arguments
    ///
    /// * `wait` - The wait, in whole seconds.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    fn new(effect: Effect) -> Self {
        Self {
            effect,
            retry_after: None,
        }
    }
}

/// A check of a caller's token.
pub(crate) type CallerCheck = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// The configuration of a sidecar.
#[derive(Default)]
pub(crate) struct Configuration {
    pub(crate) apis: BTreeMap<String, DownstreamApi>,
    pub(crate) allow_overrides: AllowOverrides,
    pub(crate) caller_check: Option<CallerCheck>,
    pub(crate) required_scope: Option<String>,
    pub(crate) passes_on_headers: bool,
}

impl fmt::Debug for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Configuration")
            .field("apis", &self.apis)
            .field("allow_overrides", &self.allow_overrides)
            .finish_non_exhaustive()
    }
}

/// The state of a sidecar.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) configuration: Configuration,
    pub(crate) requests: Records<RecordedRequest>,
    pub(crate) acquisitions: Records<Acquisition>,
    pub(crate) api_requests: Records<ApiRequest>,
    issued_caller_tokens: Mutex<HashSet<String>>,
    tokens: Mutex<TokenCache>,
    faults: Mutex<VecDeque<Fault>>,
    unhealthy: AtomicBool,
}

impl State {
    pub(crate) fn new(configuration: Configuration) -> Self {
        Self {
            configuration,
            ..Self::default()
        }
    }

    /// Issues a caller's token that [`accepts_caller`](Self::accepts_caller) accepts.
    pub(crate) fn issue_caller_token(&self, object_id: &str) -> String {
        let token = token::caller(object_id);
        lock(&self.issued_caller_tokens).insert(token.clone());
        token
    }

    pub(crate) fn accepts_caller(&self, token: &str) -> bool {
        lock(&self.issued_caller_tokens).contains(token)
            || self
                .configuration
                .caller_check
                .as_ref()
                .is_some_and(|check| check(token))
    }

    pub(crate) fn cached_token(&self, acquisition: &Acquisition) -> Option<String> {
        lock(&self.tokens).get(acquisition)
    }

    pub(crate) fn cache_token(&self, acquisition: &Acquisition, token: &str) {
        lock(&self.tokens).insert(acquisition, token.to_owned());
    }

    pub(crate) fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.faults).extend(faults);
    }

    pub(crate) fn next_fault(&self) -> Option<Fault> {
        lock(&self.faults).pop_front()
    }

    pub(crate) fn set_healthy(&self, healthy: bool) {
        self.unhealthy.store(!healthy, Ordering::Relaxed);
    }

    pub(crate) fn is_healthy(&self) -> bool {
        !self.unhealthy.load(Ordering::Relaxed)
    }
}

/// Records in their order.
#[derive(Debug)]
pub(crate) struct Records<T>(Mutex<Vec<T>>);

impl<T: Clone> Records<T> {
    pub(crate) fn push(&self, record: T) {
        lock(&self.0).push(record);
    }

    pub(crate) fn all(&self) -> Vec<T> {
        lock(&self.0).clone()
    }
}

impl<T> Default for Records<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
