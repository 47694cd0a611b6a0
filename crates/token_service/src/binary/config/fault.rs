//! Faults of the configuration.

use std::fmt::{self, Display, Formatter};

/// A fault of the configuration. It shows no value, which could be a secret.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Fault {
    /// The key, the variable or the file.
    subject: String,
    /// The fault and its remedy.
    reason: String,
}

impl Fault {
    pub(super) fn new(subject: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            reason: reason.into(),
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.reason)
    }
}
