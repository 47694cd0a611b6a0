//! The last requests whose authentication was refused.

use crate::timestamp;
use serde::Serialize;
use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};
use time::OffsetDateTime;

/// How many refusals are kept.
const CAPACITY: usize = 50;
/// The most characters of a method or path that are kept.
const MAX_TEXT: usize = 300;

/// A request that was answered with 401.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct RefusedRequest {
    #[serde(serialize_with = "timestamp::serialize")]
    pub(crate) time: OffsetDateTime,
    pub(crate) method: String,
    /// Without the query, which may contain secrets.
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) explanation: Option<String>,
}

/// The last refusals. The explanations are short by themselves.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<VecDeque<RefusedRequest>>);

impl Refusals {
    /// Adds a refusal, in place of the oldest if there are too many.
    pub(crate) fn add(&self, refused: RefusedRequest) {
        let refused = RefusedRequest {
            method: cut(&refused.method),
            path: cut(&refused.path),
            ..refused
        };
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.truncate(CAPACITY - 1);
        refusals.push_front(refused);
    }

    /// All of them, newest first.
    pub(crate) fn list(&self) -> Vec<RefusedRequest> {
        let refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.iter().cloned().collect()
    }
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    fn refused(path: String) -> RefusedRequest {
        RefusedRequest {
            time: datetime!(2026-08-01 00:00 UTC),
            method: "GET".to_owned(),
            path,
            status: 401,
            code: "Denied",
            explanation: None,
        }
    }

    #[test]
    fn the_last_fifty_are_kept_newest_first() {
        let refusals = Refusals::default();
        for number in 1..=120 {
            refusals.add(refused(number.to_string()));
        }
        let paths: Vec<_> = refusals.list().into_iter().map(|refused| refused.path).collect();
        let expected: Vec<_> = (71..=120).rev().map(|number| number.to_string()).collect();
        assert_eq!(paths, expected);
    }

    #[test]
    fn long_paths_and_methods_are_cut() {
        let refusals = Refusals::default();
        refusals.add(RefusedRequest {
            method: "M".repeat(9000),
            ..refused("é".repeat(9000))
        });
        for refused in refusals.list() {
            assert_eq!((refused.method, refused.path), ("M".repeat(300), "é".repeat(300)));
        }
    }
}
