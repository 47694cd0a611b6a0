//! Why a fault cannot be injected.

use std::{
    borrow::Cow,
    error::Error,
    fmt::{self, Display, Formatter},
};

/// A fault makes no sense, or its text cannot be read. `Display` says what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidFault(Cow<'static, str>);

impl InvalidFault {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }
}

impl Display for InvalidFault {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for InvalidFault {}
