//! What is wrong with the configuration.

use std::fmt::{self, Display, Formatter};

/// Something that is wrong with the configuration. No fault shows a value, which could be a secret.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Fault {
    /// The key, the variable or the file, as it was written.
    subject: String,
    /// What is wrong, and what to do.
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
