//! Assignments of users to the resource, which decide who may exchange an Entra ID token for an access token.

mod assignment;

use crate::tokens::EntraUserClaims;
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

pub(crate) use assignment::{Assignment, PrincipalType};

/// The assignments of one kind by their keys.
///
/// No two of them ever have the same number. A token carries the number of the assignment that admitted its user, and
/// is revoked when there is no assignment with that number any more, so no token has to be stored.
#[derive(Default)]
pub(crate) struct Assignments<K> {
    state: Mutex<State<K>>,
}

#[derive(Default)]
struct State<K> {
    next_number: u64,
    by_key: BTreeMap<K, Numbered>,
}

struct Numbered {
    number: u64,
    assignment: Assignment,
}

impl<K: Ord> Assignments<K> {
    /// Creates an assignment, or replaces the one with this key; whether it is new.
    ///
    /// One for the same principal keeps its number.
    pub(crate) fn put(&self, key: K, assignment: Assignment) -> bool {
        let State { next_number, by_key } = &mut *self.lock();
        let number = match by_key.get(&key) {
            Some(existing) if existing.assignment.has_principal_of(&assignment) => existing.number,
            _ => {
                let number = *next_number;
                *next_number += 1;
                number
            }
        };
        by_key.insert(key, Numbered { number, assignment }).is_none()
    }

    pub(crate) fn get(&self, key: &K) -> Option<Assignment> {
        Some(self.lock().by_key.get(key)?.assignment.clone())
    }

    /// All assignments in the order of their keys.
    pub(crate) fn list(&self) -> Vec<Assignment> {
        let state = self.lock();
        let all = state.by_key.values();
        all.map(|numbered| numbered.assignment.clone()).collect()
    }

    /// Deletes an assignment, if there is one with this key.
    pub(crate) fn delete(&self, key: &K) {
        self.lock().by_key.remove(key);
    }

    /// The number of the assignment that admits a user, the narrowest if there are several; `None` if there is none.
    pub(crate) fn admitting(&self, user: &EntraUserClaims) -> Option<u64> {
        let state = self.lock();
        let admitting = state
            .by_key
            .values()
            .filter(|numbered| numbered.assignment.admits(user));
        let narrowest = admitting.min_by_key(|numbered| numbered.assignment.principal_type);
        Some(narrowest?.number)
    }

    /// Whether there still is an assignment with this number.
    pub(crate) fn has_number(&self, number: u64) -> bool {
        self.lock().by_key.values().any(|numbered| numbered.number == number)
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
