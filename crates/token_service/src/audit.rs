//! The audit log: a line for each action of an operator, and for attempts that were refused.

use crate::{error::ApiError, store::Database};
use aws_lc_rs::{hmac, rand};
use base64::{Engine, engine::general_purpose::STANDARD};
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use std::{
    fmt::{self, Debug, Formatter, Write},
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{sync::OnceCell, time::Instant};
use tracing::{info, warn};
use zeroize::Zeroizing;

/// The target of the lines.
const TARGET: &str = "token_service::audit";

/// The length of the key.
const KEY_BYTES: usize = 32;

/// The length of a hash, of which two texts in 2^64 share one.
const HASH_BYTES: usize = 16;

/// The text in the place of an id that cannot be hashed, as the database is unavailable.
const HIDDEN: &str = "hidden";

/// The lines about refused attempts in a minute: of callers without a valid token, and as many of all others, so that a flood
/// without tokens hides no attempt with one.
const REFUSALS_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(29);

/// The audit log of a database.
#[derive(Clone)]
pub(crate) struct AuditLog(Arc<Inner>);

struct Inner {
    store: Arc<dyn Database>,
    /// Set if the lines contain ids in plain text.
    shows_ids: bool,
    key: OnceCell<Arc<hmac::Key>>,
    /// The limits on lines about refused attempts.
    unknown_refusals: LineLimit,
    other_refusals: LineLimit,
    /// The refused attempts without a line, since the last line.
    suppressed: AtomicU64,
}

type LineLimit = RateLimiter<NotKeyed, InMemoryState, Elapsed, NoOpMiddleware<Duration>>;

/// A clock of the time since an instant.
#[derive(Clone, Copy)]
struct Elapsed(Instant);

impl Clock for Elapsed {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

/// An operator or a program that acts.
#[derive(Clone)]
pub(crate) struct Actor {
    kind: ActorKind,
    name: Option<String>,
    request_id: Option<String>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ActorKind {
    /// A person, with the id of a user.
    User,
    /// An application that acts for no user, with the id that a user would have.
    Application,
    /// A program with access to the database, such as a command.
    Command,
    /// The sender of a request without a valid token.
    Unknown,
}

/// The actions of operators.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    ShowUser,
    ListUsers,
    ExportUsers,
    DeleteUser,
    RevokeTokens,
    ListDeletions,
    ShowAssignment,
    PutAssignment,
    DeleteAssignment,
}

/// A line that is written when it is dropped, so that an action that was cut off has one, too.
pub(crate) struct Entry {
    log: AuditLog,
    key: IdKey,
    actor: Actor,
    action: Action,
    user: Option<String>,
    identity: Option<String>,
    count: Option<u64>,
    outcome: &'static str,
}

/// The form of ids in a line.
#[derive(Clone)]
enum IdKey {
    Plain,
    Hashed(Arc<hmac::Key>),
    Hidden,
}

impl AuditLog {
    pub(crate) fn new(store: Arc<dyn Database>, shows_ids: bool) -> Self {
        Self(Arc::new(Inner {
            store,
            shows_ids,
            key: OnceCell::new(),
            unknown_refusals: line_limit(),
            other_refusals: line_limit(),
            suppressed: AtomicU64::default(),
        }))
    }

    /// Begins the line of an action that changes nothing. It says `interrupted` until the action ends.
    pub(crate) async fn begin(&self, actor: Actor, action: Action) -> Entry {
        // The line has no id then, and a flood of requests without a token does not reach the database.
        let key = match actor.kind {
            ActorKind::Unknown => IdKey::Hidden,
            _ => self.id_key().await.unwrap_or(IdKey::Hidden),
        };
        self.entry(key, actor, action)
    }

    /// Begins the line of an action that changes something. Without the key of the ids, it writes the line, and fails: the
    /// change would not show who made it.
    pub(crate) async fn begin_change(&self, actor: Actor, action: Action) -> Result<Entry, ApiError> {
        match self.id_key().await {
            Ok(key) => Ok(self.entry(key, actor, action)),
            Err(error) => self.entry(IdKey::Hidden, actor, action).finish(Err(error)),
        }
    }

    fn entry(&self, key: IdKey, actor: Actor, action: Action) -> Entry {
        Entry {
            log: self.clone(),
            key,
            actor,
            action,
            user: None,
            identity: None,
            count: None,
            outcome: "interrupted",
        }
    }

    /// Writes the line of an attempt that was refused. Above a limit, it is counted instead.
    pub(crate) async fn refuse(&self, actor: Actor, action: Action, error: &ApiError) {
        let limit = match actor.kind {
            ActorKind::Unknown => &self.0.unknown_refusals,
            _ => &self.0.other_refusals,
        };
        if limit.check().is_ok() {
            self.begin(actor, action).await.failed(error);
        } else {
            self.0.suppressed.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the hash of an id, by which the lines about it can be found.
    pub(crate) async fn hash(&self, id: &str) -> Result<String, ApiError> {
        Ok(hash(self.key().await?, id))
    }

    async fn id_key(&self) -> Result<IdKey, ApiError> {
        if self.0.shows_ids {
            return Ok(IdKey::Plain);
        }
        let key = self.key().await.inspect_err(|_| {
            warn!(
                target: "token_service",
                "ids are hidden in the audit log, as its key is in the database, which failed"
            );
        })?;
        Ok(IdKey::Hashed(key.clone()))
    }

    /// Returns the key, which all services of a database share.
    async fn key(&self) -> Result<&Arc<hmac::Key>, ApiError> {
        let load = async || {
            let mut candidate = Zeroizing::new([0; KEY_BYTES]);
            rand::fill(candidate.as_mut_slice()).map_err(|_| ApiError::internal())?;
            let candidate = Zeroizing::new(STANDARD.encode(candidate.as_slice()));
            let key = Zeroizing::new(self.0.store.audit_key(&candidate).await?);
            Ok(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes())))
        };
        self.0.key.get_or_try_init(load).await
    }
}

fn line_limit() -> LineLimit {
    RateLimiter::direct_with_clock(Quota::per_minute(REFUSALS_PER_MINUTE), Elapsed(Instant::now()))
}

/// Returns the first half of the HMAC-SHA-256 in hexadecimal digits.
fn hash(key: &hmac::Key, id: &str) -> String {
    let tag = hmac::sign(key, id.as_bytes());
    let mut text = String::with_capacity(2 * HASH_BYTES);
    for byte in tag.as_ref().iter().take(HASH_BYTES) {
        // Writing to a text does not fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}

impl Actor {
    pub(crate) fn new(kind: ActorKind, name: Option<String>, request_id: Option<String>) -> Self {
        Self { kind, name, request_id }
    }
}

impl ActorKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Application => "application",
            Self::Command => "command",
            Self::Unknown => "unknown",
        }
    }
}

impl Action {
    fn as_str(self) -> &'static str {
        match self {
            Self::ShowUser => "show_user",
            Self::ListUsers => "list_users",
            Self::ExportUsers => "export_users",
            Self::DeleteUser => "delete_user",
            Self::RevokeTokens => "revoke_tokens",
            Self::ListDeletions => "list_deletions",
            Self::ShowAssignment => "show_assignment",
            Self::PutAssignment => "put_assignment",
            Self::DeleteAssignment => "delete_assignment",
        }
    }
}

impl Entry {
    /// Sets the user of the action.
    pub(crate) fn user(&mut self, id: &str) {
        self.user = Some(self.key.shown(id));
    }

    /// Sets the identity of the action, if the operator gave it.
    pub(crate) fn identity(&mut self, identity: &str) {
        self.identity = Some(self.key.shown(identity));
    }

    /// Counts records that the operator got.
    pub(crate) fn count(&mut self, records: usize) {
        self.count = Some(self.count.unwrap_or_default() + records as u64);
    }

    /// Sets the outcome of an action that succeeded.
    pub(crate) fn done(&mut self) {
        self.outcome = "done";
    }

    /// Sets the outcome of an action that failed.
    pub(crate) fn failed(&mut self, error: &ApiError) {
        self.outcome = error.reason();
    }

    /// Writes the line with the outcome, which it returns.
    pub(crate) fn finish<T>(mut self, outcome: Result<T, ApiError>) -> Result<T, ApiError> {
        match &outcome {
            Ok(_) => self.done(),
            Err(error) => self.failed(error),
        }
        outcome
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        let actor = self.actor.name.as_deref().map(|name| match self.actor.kind {
            // The name of an account of the system is no user's.
            ActorKind::Command => name.to_owned(),
            _ => self.key.shown(name),
        });
        let suppressed = self.log.0.suppressed.swap(0, Ordering::Relaxed);
        info!(
            target: TARGET,
            actor,
            actor_kind = self.actor.kind.as_str(),
            action = self.action.as_str(),
            user = self.user,
            identity = self.identity,
            count = self.count,
            outcome = self.outcome,
            suppressed = (suppressed > 0).then_some(suppressed),
            request_id = self.actor.request_id,
            "audit"
        );
    }
}

impl IdKey {
    fn shown(&self, id: &str) -> String {
        match self {
            Self::Plain => id.to_owned(),
            Self::Hashed(key) => hash(key, id),
            Self::Hidden => HIDDEN.to_owned(),
        }
    }
}

/// Hides the key.
impl Debug for AuditLog {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLog")
            .field("shows_ids", &self.0.shows_ids)
            .finish_non_exhaustive()
    }
}

/// Hides the name.
impl Debug for Actor {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Actor")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Hides the ids.
impl Debug for Entry {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("action", &self.action)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_half_of_the_hmac() {
        // printf 'https://login.contoso.com alice' | openssl dgst -sha256 -hmac key
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"key");
        let hash = hash(&key, "https://login.contoso.com alice");
        assert_eq!(hash, "cd6dea0e255de7ff795c3b89295665a0");
    }
}
