//! Who may call.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

/// What tells whether a caller's token is valid.
pub(crate) type Check = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// The callers whose tokens are valid: those that the double made itself, and those that a check admits.
#[derive(Default)]
pub(crate) struct Callers {
    issued: Mutex<HashSet<String>>,
    check: Option<Check>,
}

impl Callers {
    pub(crate) fn new(check: Option<Check>) -> Self {
        Self {
            issued: Mutex::default(),
            check,
        }
    }

    pub(crate) fn issue(&self, object_id: &str) -> String {
        let token = crate::token::caller(object_id);
        self.issued
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token.clone());
        token
    }

    pub(crate) fn admit(&self, token: &str) -> bool {
        self.issued
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(token)
            || self.check.as_ref().is_some_and(|check| check(token))
    }
}

impl fmt::Debug for Callers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Callers")
    }
}
