//! Failures on request.

use std::time::Duration;

/// A failure in place of an answer.
#[derive(Clone, Debug)]
pub struct Fault {
    pub(crate) kind: Kind,
    pub(crate) retry_after: Option<Duration>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    /// Nothing is done but to answer with a status.
    Before(u16),
    /// All is done, and then a status is answered.
    After(u16),
    /// Nothing is ever answered.
    Silence,
}

impl Fault {
    /// A status instead of what the request asks for.
    #[must_use]
    pub fn before(status: u16) -> Self {
        Self::new(Kind::Before(status))
    }

    /// A status after what the request asks for has been done.
    #[must_use]
    pub fn after(status: u16) -> Self {
        Self::new(Kind::After(status))
    }

    /// The sidecar's answer to a caller on another machine: a 403 without a body, also from `/Validate`.
    #[must_use]
    pub fn not_local() -> Self {
        Self::before(403)
    }

    /// No answer, on a connection that stays open.
    #[must_use]
    pub fn silence() -> Self {
        Self::new(Kind::Silence)
    }

    /// Adds a `Retry-After`.
    ///
    /// # Arguments
    ///
    /// * `wait` - The wait, in whole seconds.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    fn new(kind: Kind) -> Self {
        Self {
            kind,
            retry_after: None,
        }
    }
}
