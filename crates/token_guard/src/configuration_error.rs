//! A configuration that no guard can be built from.

use std::{
    error::Error,
    fmt::{self, Display, Formatter},
};

/// Says which setting of a guard cannot be used, and why. What was set is not repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigurationError {
    setting: &'static str,
    fault: String,
}

impl ConfigurationError {
    pub(crate) fn new(fault: impl Into<String>) -> Self {
        Self {
            setting: "the configuration",
            fault: fault.into(),
        }
    }

    /// The same fault of a named setting.
    pub(crate) fn of(self, setting: &'static str) -> Self {
        Self { setting, ..self }
    }
}

impl Display for ConfigurationError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.setting, self.fault)
    }
}

impl Error for ConfigurationError {}
